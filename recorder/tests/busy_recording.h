#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>

#include <fmt/format.h>

#include "recorder/tests/test_recording.h"

namespace cairn::recorder {

// Lines of a server's log, no two alike; they compress to a third.
class LogLines {
 public:
  explicit LogLines(uint64_t seed) : random_(seed) {}

  std::string next() {
    constexpr std::string_view kPaths[] = {"/api/v1/items", "/login", "/static/app.js", "/api/v1/orders/search"};
    const uint64_t bits = random_();
    const uint64_t second = number_++ / 100;
    return fmt::format("Nov 21 12:{:02}:{:02} web-1 app[4711]: GET {}/{:016x} 200 {} in {} ms\r\n", second / 60 % 60,
                       second % 60, kPaths[bits % 4], bits, bits >> 50, bits % 97);
  }

 private:
  std::mt19937_64 random_;
  uint64_t number_ = 0;
};

// Fills `writer` with lines and, for every fiftieth, the start of a program, until its file holds `file_bytes`; seals.
// Returns how many numbers of the kernel that took.
inline uint64_t fill_and_seal(RecordingWriter& writer, LogLines lines, uint64_t file_bytes) {
  constexpr uint64_t kLineNs = 10'000;
  constexpr uint64_t kLinesPerFlush = 4000;
  uint64_t now_ns = kStartNs;
  uint64_t number = 0;
  for (uint64_t line = 0; writer.bytes() < file_bytes; ++line) {
    now_ns += kLineNs;
    writer.add(make_output(now_ns, lines.next()));
    if (line % 50 == 0) writer.add(make_exec(now_ns, ++number));
    if (line % kLinesPerFlush != 0) continue;
    const Result<void> flushed = writer.flush(now_ns);
    EXPECT_TRUE(flushed) << flushed.error().message;
    if (!flushed) return number;
  }
  const Result<void> sealed = writer.seal(recording::v1::END_REASON_COMPLETE, number, now_ns + kMs);
  EXPECT_TRUE(sealed) << sealed.error().message;
  return number;
}

}  // namespace cairn::recorder
