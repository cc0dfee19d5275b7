#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "agent/upload/spool_folder.h"
#include "base/bytes.h"
#include "base/file.h"
#include "recorder/recording_writer.h"

namespace cairn::agent {

constexpr const char* kBootId = "3f0c2f0e-5a0f-4c29-9a3e-0d5a3f4a7b11";
constexpr uint64_t kSessionKey = 4711;
constexpr uint64_t kMs = 1'000'000;

// A spool folder that goes away with the test.
class SpoolFixture : public testing::Test {
 protected:
  SpoolFixture() {
    std::string made = (std::filesystem::temp_directory_path() / "cairn-spool.XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    folder_ = made;
  }
  ~SpoolFixture() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path_of(const std::string& id) const { return recording_path(folder_, id); }
  std::string bytes_of(const std::string& id) const {
    const Result<std::string> bytes = read_file(path_of(id), 1 << 24);
    EXPECT_TRUE(bytes) << bytes.error().message;
    return bytes.value_or("");
  }
  void write(const std::string& id, std::string_view bytes) const {
    const Result<void> written = write_file_atomically(path_of(id), bytes, 0600);
    ASSERT_TRUE(written) << written.error().message;
  }

  // A worker's recording, locked for as long as the writer lives.
  recorder::RecordingWriter begin(const std::string& id, const std::string& boot_id = kBootId,
                                  int64_t wall_ns = 0) const {
    recorder::Begin begin;
    begin.set_session_id(id);
    begin.set_boot_id(boot_id);
    begin.set_session_key(kSessionKey);
    begin.set_capture_tier("B");
    Result<recorder::RecordingWriter> writer = recorder::RecordingWriter::create(
        path_of(id), begin, recorder::ClockAnchor(kMs, kMs, wall_ns), {.quota_bytes = 1 << 24, .seal_raw_bytes = 1});
    if (!writer) std::abort();
    return std::move(*writer);
  }

  // One more chunk; every batch is one here.
  static void add_chunk(recorder::RecordingWriter& writer, uint64_t at_ms, size_t noise_bytes = 0) {
    recorder::Event output;
    output.set_boot_ns(at_ms * kMs);
    output.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
    output.mutable_output()->set_data("something at " + std::to_string(at_ms) + "\n" + random_bytes(noise_bytes));
    writer.add(std::move(output));
    const Result<void> flushed = writer.flush_all(at_ms * kMs);
    ASSERT_TRUE(flushed) << flushed.error().message;
  }
  static void seal(recorder::RecordingWriter& writer, uint64_t at_ms) {
    const Result<void> sealed = writer.seal(recording::v1::END_REASON_COMPLETE, 0, at_ms * kMs);
    ASSERT_TRUE(sealed) << sealed.error().message;
  }
  // A whole recording of `chunks` chunks besides the first and the final one.
  std::string make_sealed(const std::string& id, uint64_t chunks, int64_t wall_ns = 0) const {
    recorder::RecordingWriter writer = begin(id, kBootId, wall_ns);
    for (uint64_t n = 1; n <= chunks; n++) add_chunk(writer, 10 * n);
    seal(writer, 10 * chunks + 10);
    return bytes_of(id);
  }

  std::filesystem::path folder_;
};

}  // namespace cairn::agent
