#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cairn::screen::v1 {
class SavedFilter;
}

namespace cairn::recorder {

// Makes the terminal output of a recording, whose author may be hostile, fit for the terminal of the one who watches:
// keeps what draws, drops what makes a terminal answer or act. Source: ECMA-48, XTerm Control Sequences.
//   passes  printable ASCII and UTF-8; BEL BS HT LF CR SO SI; CSI sequences that move, erase, insert, delete, scroll or
//           style; cursor save and restore; tabs; character sets; modes of drawing (?5 ?6 ?7 ?12 ?25 ?45 ?69, the
//           alternate screen, ?2004 off). ESC c (full reset) becomes a soft reset and a clear screen.
//   drops   OSC (titles, clipboard, hyperlinks, colours), DCS, APC, PM, SOS; every question (DA, DSR, DECRQM …); window
//           operations, media copy, mouse, focus, keyboard and paste modes; sequences with parameters above 9999.
//           C1 controls in two-byte form are dropped with their contents; bytes that are not UTF-8 become U+FFFD.
// State is kept across calls: the result does not depend on how the stream was sliced. Never holds more than
// kMaxSequenceBytes back. One object per channel and stream; one thread at a time.
class TerminalFilter {
 public:
  static constexpr size_t kMaxSequenceBytes = 256;
  static constexpr size_t kMaxIntermediates = 2;  // of an escape sequence

  std::string filter(std::string_view bytes);

  // What it holds back, so that another can go on in its place; and back. A state that none could have is refused.
  void save(screen::v1::SavedFilter& saved) const;
  bool restore(const screen::v1::SavedFilter& saved);

  // Brings the terminal back from whatever the passed sequences left: main screen, no style, cursor shown, whole-screen
  // scroll region. For players, when they end.
  static std::string_view reset_sequence();

 private:
  enum class State { kGround, kEscape, kCsi, kCsiIgnore, kString, kStringEscape };

  void ground(unsigned char c, std::string& out);
  void utf8_lead(unsigned char c, std::string& out);
  void utf8_next(unsigned char c, std::string& out);
  void c1(unsigned char c);
  void escape(unsigned char c, std::string& out);
  void escape_final(unsigned char c, std::string& out);
  void csi(unsigned char c, std::string& out);
  void string(unsigned char c);
  void string_escape(unsigned char c, std::string& out);
  void begin_escape();
  bool control(unsigned char c, std::string& out);

  State state_ = State::kGround;
  std::string sequence_;        // parameters and intermediates of the escape or CSI sequence under way
  std::string character_;       // beginning of a UTF-8 character
  size_t character_bytes_ = 0;  // its whole length
  bool is_dropped_ = false;     // the CSI sequence under way began with a C1 control
  bool string_ends_at_bel_ = false;
  unsigned char previous_ = 0;  // byte before, inside a string
};

}  // namespace cairn::recorder
