#include "recorder/terminal_filter.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "proto/screen.pb.h"
#include "recorder/utf8.h"

namespace cairn::recorder {
namespace {

constexpr unsigned char kEsc = 0x1b;
constexpr unsigned char kBel = 0x07;
constexpr unsigned char kCan = 0x18;
constexpr unsigned char kSub = 0x1a;
constexpr unsigned char kDel = 0x7f;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr unsigned kMaxParameter = 9999;  // REP and the moves take time in proportion

constexpr std::string_view kControls = "\a\b\t\n\r\x0e\x0f";
// ICH CUU CUD CUF CUB CNL CPL CHA CUP CHT ED EL IL DL DCH SU SD ECH CBT HPA HPR REP VPA VPR HVP TBC SGR DECSTBM SCOSC
// SCORC
constexpr std::string_view kPlainFinals = "@ABCDEFGHIJKLMPSTXZ`abdefgmrsu";
// Reverse screen, origin, autowrap, blink, cursor, reverse wrap, alternate screens and cursor save, side margins.
constexpr std::array<unsigned, 11> kDrawingModes = {5, 6, 7, 12, 25, 45, 47, 69, 1047, 1048, 1049};
constexpr unsigned kBracketedPaste = 2004;
constexpr unsigned kInsertMode = 4;  // IRM, the one ANSI mode that draws

// DECSC DECRC IND NEL HTS RI, SS2 SS3, LS2 LS3 LS1R LS2R LS3R
constexpr std::string_view kEscapeFinals = "78DEHMNOno~}|";
constexpr std::string_view kSoftReset = "\x1b[!p\x1b[H\x1b[2J";

struct Csi {
  char prefix = 0;                 // one of <=>?, or 0
  std::string_view parameters;     // digits, ';' and ':'
  std::string_view intermediates;  // 0x20..0x2f
};

// Nullopt when it breaks ECMA-48 §5.4: then no two terminals agree on it.
std::optional<Csi> split(std::string_view sequence) {
  Csi csi;
  if (!sequence.empty() && sequence[0] >= '<' && sequence[0] <= '?') {
    csi.prefix = sequence[0];
    sequence.remove_prefix(1);
  }
  const size_t parameters = std::min(sequence.find_first_not_of("0123456789;:"), sequence.size());
  csi.parameters = sequence.substr(0, parameters);
  csi.intermediates = sequence.substr(parameters);
  const bool is_well_formed = std::ranges::all_of(csi.intermediates, [](char c) { return c >= ' ' && c <= '/'; });
  return is_well_formed ? std::optional(csi) : std::nullopt;
}

// Absent parameters are 0. Nullopt when one is beyond kMaxParameter.
std::optional<std::vector<unsigned>> numbers(std::string_view parameters) {
  std::vector<unsigned> values = {0};
  for (const char c : parameters) {
    if (c == ';' || c == ':') {
      values.push_back(0);
      continue;
    }
    values.back() = values.back() * 10 + static_cast<unsigned>(c - '0');
    if (values.back() > kMaxParameter) return std::nullopt;
  }
  return values;
}

std::string allowed_modes(const Csi& csi, const std::vector<unsigned>& modes, char final) {
  std::string passed;
  for (const unsigned mode : modes) {
    const bool draws = csi.prefix == '?' ? std::ranges::count(kDrawingModes, mode) != 0 : mode == kInsertMode;
    const bool ends_paste_mode = csi.prefix == '?' && mode == kBracketedPaste && final == 'l';
    if (!draws && !ends_paste_mode) continue;
    passed += passed.empty() ? "" : ";";
    passed += std::to_string(mode);
  }
  if (passed.empty()) return {};
  return fmt::format("\x1b[{}{}{}", csi.prefix == '?' ? "?" : "", passed, final);
}

bool draws(const Csi& csi, size_t parameter_count, char final) {
  if (csi.prefix == '?') return csi.intermediates.empty() && (final == 'J' || final == 'K');
  if (csi.prefix != 0) return false;
  // Soft reset; cursor shape; scroll left and right; insert and delete columns.
  if (csi.intermediates == "!") return final == 'p';
  if (csi.intermediates == " ") return final == 'q' || final == '@' || final == 'A';
  if (csi.intermediates == "'") return final == '}' || final == '~';
  if (!csi.intermediates.empty() || kPlainFinals.find(final) == std::string_view::npos) return false;
  return final != 'T' || parameter_count == 1;  // with more, CSI T starts mouse tracking
}

// The sequence as it may go out, or nothing.
std::string filtered(std::string_view sequence, char final) {
  const std::optional<Csi> csi = split(sequence);
  if (!csi) return {};
  const std::optional<std::vector<unsigned>> values = numbers(csi->parameters);
  if (!values) return {};
  const bool sets_modes = csi->intermediates.empty() && (csi->prefix == 0 || csi->prefix == '?');
  if (sets_modes && (final == 'h' || final == 'l')) return allowed_modes(*csi, *values, final);
  return draws(*csi, values->size(), final) ? fmt::format("\x1b[{}{}", sequence, final) : std::string();
}

}  // namespace

std::string_view TerminalFilter::reset_sequence() {
  // Not ?1049l, which moves the cursor even on the main screen; DECSTBM moves it too and stands between save and
  // restore.
  return "\x1b[?1047l\x1b[!p\x1b[?69l\x1b[?5l\x1b[4l\x1b[?7h\x1b[?25h\x1b[0 q\0337\x1b[r\0338\x1b[0m\x1b(B\x0f";
}

void TerminalFilter::save(screen::v1::SavedFilter& saved) const {
  saved.set_state(static_cast<uint32_t>(state_));
  saved.set_sequence(sequence_);
  saved.set_character(character_);
  saved.set_character_bytes(static_cast<uint32_t>(character_bytes_));
  saved.set_is_dropped(is_dropped_);
  saved.set_string_ends_at_bel(string_ends_at_bel_);
  saved.set_previous(previous_);
}

bool TerminalFilter::restore(const screen::v1::SavedFilter& saved) {
  const std::string& character = saved.character();
  const size_t bytes = character.empty() ? 0 : utf8_length(static_cast<unsigned char>(character[0]));
  const bool is_good = saved.state() <= static_cast<uint32_t>(State::kStringEscape) &&
                       saved.sequence().size() <= kMaxSequenceBytes && saved.previous() <= 0xff &&
                       (character.empty() || (character.size() < bytes && saved.character_bytes() == bytes));
  if (!is_good) return false;
  state_ = static_cast<State>(saved.state());
  sequence_ = saved.sequence();
  character_ = character;
  character_bytes_ = saved.character_bytes();
  is_dropped_ = saved.is_dropped();
  string_ends_at_bel_ = saved.string_ends_at_bel();
  previous_ = static_cast<unsigned char>(saved.previous());
  return true;
}

std::string TerminalFilter::filter(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char byte : bytes) {
    const auto c = static_cast<unsigned char>(byte);
    switch (state_) {
      case State::kGround: ground(c, out); break;
      case State::kEscape: escape(c, out); break;
      case State::kCsi:
      case State::kCsiIgnore: csi(c, out); break;
      case State::kString: string(c); break;
      case State::kStringEscape: string_escape(c, out); break;
    }
  }
  return out;
}

void TerminalFilter::ground(unsigned char c, std::string& out) {
  if (!character_.empty()) {
    utf8_next(c, out);
  } else if (c >= 0x80) {
    utf8_lead(c, out);
  } else if (!control(c, out) && c != kDel) {
    out += static_cast<char>(c);
  }
}

// C0 controls act wherever they stand, in the midst of sequences too. False for all other bytes.
bool TerminalFilter::control(unsigned char c, std::string& out) {
  if (c >= ' ') return false;
  if (c == kEsc) {
    begin_escape();
  } else if (c == kCan || c == kSub) {
    state_ = State::kGround;
  } else if (kControls.find(static_cast<char>(c)) != std::string_view::npos) {
    out += static_cast<char>(c);
  }
  return true;
}

void TerminalFilter::begin_escape() {
  state_ = State::kEscape;
  sequence_.clear();
  is_dropped_ = false;
}

void TerminalFilter::utf8_lead(unsigned char c, std::string& out) {
  character_bytes_ = utf8_length(c);
  if (character_bytes_ == 0) {
    out += kReplacement;
    return;
  }
  character_.assign(1, static_cast<char>(c));
}

void TerminalFilter::utf8_next(unsigned char c, std::string& out) {
  const auto lead = static_cast<unsigned char>(character_[0]);
  const bool fits = character_.size() == 1 ? is_utf8_second(lead, c) : (c & 0xc0) == 0x80;
  if (!fits) {
    character_.clear();
    out += kReplacement;
    ground(c, out);
    return;
  }
  character_ += static_cast<char>(c);
  if (character_.size() < character_bytes_) return;
  if (lead == 0xc2 && c < 0xa0) {
    c1(c);
  } else {
    out += character_;
  }
  character_.clear();
}

// What terminals do with a C1 control, they do with ESC and the byte 0x40 below it (ECMA-48 §5.3). None is passed, but
// what it begins must be swallowed with it.
void TerminalFilter::c1(unsigned char c) {
  std::string nothing;
  begin_escape();
  escape_final(static_cast<unsigned char>(c - 0x40), nothing);
  is_dropped_ = state_ == State::kCsi;
}

void TerminalFilter::escape(unsigned char c, std::string& out) {
  if (control(c, out)) return;
  if (c >= kDel) {
    state_ = State::kGround;
    if (c != kDel) ground(c, out);
  } else if (c <= '/') {
    sequence_ += static_cast<char>(c);
    if (sequence_.size() > kMaxIntermediates) state_ = State::kGround;
  } else {
    escape_final(c, out);
  }
}

void TerminalFilter::escape_final(unsigned char c, std::string& out) {
  const char final = static_cast<char>(c);
  state_ = State::kGround;
  if (!sequence_.empty()) {
    // Character sets G0..G3; DECALN and the double-size lines. Not "ESC %", which leaves UTF-8, nor "ESC SP", which
    // asks for 8-bit answers.
    const bool selects_set = sequence_.find_first_not_of("()*+\"%&", 1) == std::string::npos &&
                             std::string_view("()*+").find(sequence_[0]) != std::string_view::npos;
    const bool is_line_test = sequence_ == "#" && std::string_view("34568").find(final) != std::string_view::npos;
    if (selects_set || is_line_test) out += fmt::format("\x1b{}{}", sequence_, final);
    return;
  }
  switch (final) {
    case '[': state_ = State::kCsi; break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
    case 'k':  // the title of screen and tmux
      state_ = State::kString;
      string_ends_at_bel_ = final == ']';
      previous_ = 0;
      break;
    case 'c': out += kSoftReset; break;
    default:
      if (kEscapeFinals.find(final) != std::string_view::npos) out += fmt::format("\x1b{}", final);
  }
}

void TerminalFilter::csi(unsigned char c, std::string& out) {
  if (control(c, out) || c == kDel) return;
  if (c > kDel) {
    state_ = State::kGround;
    ground(c, out);
  } else if (c >= '@') {
    if (state_ == State::kCsi && !is_dropped_) out += filtered(sequence_, static_cast<char>(c));
    state_ = State::kGround;
  } else if (sequence_.size() == kMaxSequenceBytes) {
    state_ = State::kCsiIgnore;
  } else {
    sequence_ += static_cast<char>(c);
  }
}

// Nothing of a string is kept, so it may be as long as it likes; it ends where xterm ends it.
void TerminalFilter::string(unsigned char c) {
  const bool is_c1_end = previous_ == 0xc2 && c == 0x9c;
  previous_ = c;
  if (c == kEsc) {
    state_ = State::kStringEscape;
  } else if (c == kCan || c == kSub || is_c1_end) {
    state_ = State::kGround;
  } else if (c == kBel && string_ends_at_bel_) {
    state_ = State::kGround;
  }
}

// ESC \ is the end; any other ESC breaks the string off and begins something of its own.
void TerminalFilter::string_escape(unsigned char c, std::string& out) {
  begin_escape();
  if (c == '\\') {
    state_ = State::kGround;
  } else {
    escape(c, out);
  }
}

}  // namespace cairn::recorder
