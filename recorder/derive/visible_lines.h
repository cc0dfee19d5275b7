#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/derived.pb.h"
#include "recorder/screen/screen.h"

namespace cairn::recorder {

// A screen that stands still this long can have been read.
constexpr uint64_t kSettledNs = 30'000'000;
// One that does not stand still is looked at this often.
constexpr uint64_t kLookNs = 250'000'000;

struct SeenLine {
  uint64_t boot_ns = 0;
  uint64_t command = 0;
  std::string text;
};

// The lines that somebody could read on one terminal, each once for as long as it stays: as they scroll away, and as
// they stand when the screen settles or is about to be replaced. A line that was wrapped is whole again; one that grew
// while it was typed is kept as it became. One thread at a time.
class VisibleLines {
 public:
  // Bounds what a line that never ends may take; the rest is a line of its own.
  static constexpr size_t kMaxLineBytes = 4096;
  // Between two take()s; a recording may be made to redraw a large screen a hundred thousand times.
  static constexpr size_t kMaxSeenBytes = size_t{8} << 20;

  // A row leaves the screen at its top.
  void scroll(const Row& row, uint64_t boot_ns, uint64_t command);
  // What the screen shows now.
  void look(const Screen& screen, uint64_t boot_ns, uint64_t command);
  // Since the last call.
  std::vector<SeenLine> take();
  // Lines that found no room since the last call.
  uint64_t take_lost() { return std::exchange(lost_, 0); }

  void save(derived::v1::Channel& into) const;
  // What does not fit the bounds is left out.
  void restore(const derived::v1::Channel& from);

 private:
  // A line that was on the screen at the last look.
  struct Shown {
    uint64_t hash = 0;
    int64_t row = 0;      // counted with `scrolled_`, so that it stays when the screen scrolls
    size_t place = kOld;  // in seen_
    bool operator==(const Shown&) const = default;
  };
  static constexpr size_t kOld = SIZE_MAX;  // it was taken already

  size_t add(std::string text, uint64_t boot_ns, uint64_t command);
  bool forget_shown(uint64_t hash);
  size_t grown_from(const std::vector<Shown>& before, const std::string& text, int64_t row) const;

  std::string pending_;
  int64_t scrolled_ = 0;
  std::vector<Shown> shown_;
  std::vector<SeenLine> seen_;
  size_t seen_bytes_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace cairn::recorder
