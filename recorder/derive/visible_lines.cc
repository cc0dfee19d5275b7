#include "recorder/derive/visible_lines.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace cairn::recorder {
namespace {

// FNV-1a: it is stored, so it must not change with the library.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(' ') == std::string_view::npos; }

void trim(std::string& text) { text.resize(text.find_last_not_of(' ') + 1); }

// Cut where a character begins.
void cut(std::string& text, size_t bytes) {
  if (text.size() <= bytes) return;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  text.resize(bytes);
}

}  // namespace

// Returns its place.
size_t VisibleLines::add(std::string text, uint64_t boot_ns, uint64_t command) {
  if (seen_bytes_ + text.size() > kMaxSeenBytes) {
    ++lost_;
    return kOld;
  }
  seen_bytes_ += text.size() + sizeof(SeenLine);
  seen_.push_back({.boot_ns = boot_ns, .command = command, .text = std::move(text)});
  return seen_.size() - 1;
}

bool VisibleLines::forget_shown(uint64_t hash) {
  const auto found = std::ranges::find(shown_, hash, &Shown::hash);
  if (found == shown_.end()) return false;
  shown_.erase(found);
  return true;
}

void VisibleLines::scroll(const Row& row, uint64_t boot_ns, uint64_t command) {
  ++scrolled_;
  pending_ += Screen::text_of(row);
  if (row.back().continues && pending_.size() < kMaxLineBytes) return;
  std::string line = std::exchange(pending_, {});
  cut(line, kMaxLineBytes);
  trim(line);
  if (line.empty() || forget_shown(hash_of(line))) return;
  add(std::move(line), boot_ns, command);
}

// The line that stood in this row and was the beginning of this one: what is typed grows.
size_t VisibleLines::grown_from(const std::vector<Shown>& before, const std::string& text, int64_t row) const {
  for (const Shown& each : before) {
    if (each.row == row && each.place != kOld && text.starts_with(seen_[each.place].text)) return each.place;
  }
  return kOld;
}

void VisibleLines::look(const Screen& screen, uint64_t boot_ns, uint64_t command) {
  std::vector<Shown> before = std::exchange(shown_, {});
  std::vector<std::pair<Shown, std::string>> fresh;
  std::string line = pending_;
  int64_t first_row = 0;
  for (uint32_t number = 0; number < screen.rows(); ++number) {
    const Row& row = screen.row(number);
    line += Screen::text_of(row);
    if (row.back().continues && number + 1 < screen.rows() && line.size() < kMaxLineBytes) continue;
    std::string whole = std::exchange(line, {});
    Shown shown{.hash = 0, .row = scrolled_ + std::exchange(first_row, int64_t{number} + 1)};
    cut(whole, kMaxLineBytes);
    trim(whole);
    if (is_blank(whole)) continue;
    shown.hash = hash_of(whole);
    const auto known = std::ranges::find(before, shown.hash, &Shown::hash);
    if (known == before.end()) {
      fresh.emplace_back(shown, std::move(whole));
      continue;
    }
    shown.place = known->place;
    before.erase(known);
    shown_.push_back(shown);
  }
  for (auto& [shown, text] : fresh) {
    shown.place = grown_from(before, text, shown.row);
    if (shown.place == kOld) {
      shown.place = add(std::move(text), boot_ns, command);
    } else {
      seen_bytes_ += text.size() - seen_[shown.place].text.size();
      seen_[shown.place] = {.boot_ns = boot_ns, .command = command, .text = std::move(text)};
    }
    shown_.push_back(shown);
  }
}

std::vector<SeenLine> VisibleLines::take() {
  for (Shown& each : shown_) each.place = kOld;
  seen_bytes_ = 0;
  return std::exchange(seen_, {});
}

void VisibleLines::save(derived::v1::Channel& into) const {
  into.set_pending(pending_);
  for (const Shown& each : shown_) into.add_shown(each.hash);
}

void VisibleLines::restore(const derived::v1::Channel& from) {
  pending_ = from.pending();
  cut(pending_, kMaxLineBytes);
  shown_.clear();
  for (const uint64_t hash : from.shown()) {
    if (shown_.size() >= Screen::kMaxRows) break;
    shown_.push_back({.hash = hash});
  }
}

}  // namespace cairn::recorder
