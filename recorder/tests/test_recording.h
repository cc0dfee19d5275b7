#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "recorder/recording_decoder.h"
#include "recorder/recording_writer.h"

namespace cairn::recorder {

constexpr uint64_t kStartNs = 1'000'000'000'000;
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kPlenty = uint64_t{1} << 30;
constexpr std::string_view kSession = "4be643cb-94b0-4f55-b63a-0d0d3a7cb1d1";

inline Begin make_begin() {
  Begin begin;
  begin.set_session_id(std::string(kSession));
  begin.set_node_name("web-1");
  begin.set_user("alice");
  begin.set_login("deploy");
  begin.set_capture_tier("B");
  return begin;
}

inline Event make_output(uint64_t boot_ns, std::string_view data, uint32_t channel = 0,
                         recording::v1::Stream stream = recording::v1::STREAM_TERMINAL) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_output()->set_channel(channel);
  event.mutable_output()->set_stream(stream);
  event.mutable_output()->set_data(std::string(data));
  return event;
}

inline Event make_exec(uint64_t boot_ns, uint64_t kernel_seq, std::string_view program = "/usr/bin/true") {
  Event event;
  event.set_boot_ns(boot_ns);
  event.set_kernel_seq(kernel_seq);
  event.mutable_exec()->mutable_process()->set_pid(100);
  event.mutable_exec()->mutable_executable()->set_path(std::string(program));
  event.mutable_exec()->mutable_executable()->set_complete(true);
  return event;
}

inline std::string contents(const std::filesystem::path& path) { return read_file(path, size_t{1} << 30).value(); }

// The error's code; no error when it succeeded, where error() would be undefined.
template <class T> std::error_code code_of(const Result<T>& result) {
  return result ? std::error_code() : result.error().code;
}

// What a reader of `bytes` gets, and how it ends.
struct Played {
  std::vector<Event> events;
  std::vector<Event> salvaged;  // of a torn last chunk
  Result<void> end;
  uint64_t whole_chunks = 0;
  uint64_t offset = 0;
};

inline Played play(std::string_view bytes, size_t slice = 4096, Unlock unlock = {}) {
  Played played;
  RecordingDecoder decoder(std::move(unlock));
  for (size_t at = 0; at <= bytes.size(); at += slice) {
    decoder.feed(bytes.substr(at, slice));
    for (;;) {
      Result<std::optional<Event>> next = decoder.next();
      if (!next) break;
      std::optional<Event>& event = *next;
      if (!event) break;
      played.events.push_back(std::move(*event));
    }
  }
  played.end = decoder.finish();
  played.salvaged = decoder.salvage();
  played.whole_chunks = decoder.whole_chunks();
  played.offset = decoder.offset();
  return played;
}

// Start offsets of the chunks, and the size of all as the last element.
inline std::vector<size_t> chunk_offsets(std::string_view bytes) {
  std::vector<size_t> offsets = {0};
  while (offsets.back() < bytes.size()) {
    offsets.push_back(offsets.back() + parse_chunk_header(bytes.substr(offsets.back())).value().size());
  }
  return offsets;
}

class RecordingFolder : public testing::Test {
 protected:
  RecordingFolder() {
    std::string name = testing::TempDir() + "cairn-recorder-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / (std::string(kSession) + ".rec");
  }
  ~RecordingFolder() override { std::filesystem::remove_all(folder_); }

  RecordingWriter make_writer(RecordingOptions options = {}) {
    Result<RecordingWriter> writer = RecordingWriter::create(path_, make_begin(), kStartNs, std::move(options));
    if (!writer) ADD_FAILURE() << writer.error().message;
    return std::move(*writer);
  }

  // A small sealed recording of five chunks, with two events of each of three numbers of the kernel.
  std::string make_small_recording(RecordingOptions options = {}) {
    options.seal_raw_bytes = 1;  // each batch is a chunk
    RecordingWriter writer = make_writer(std::move(options));
    for (uint64_t i = 1; i <= 3; ++i) {
      writer.add(make_output(kStartNs + i * 10 * kMs, "line " + std::to_string(i) + "\r\n"));
      writer.add(make_exec(kStartNs + i * 10 * kMs + 1, i));
      EXPECT_TRUE(writer.flush_all(kStartNs + i * 10 * kMs + 2));
    }
    EXPECT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 3, kStartNs + 50 * kMs));
    return contents(path_);
  }

  void write_bytes(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

}  // namespace cairn::recorder
