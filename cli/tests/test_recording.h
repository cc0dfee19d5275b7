#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "cli/tests/test_events.h"
#include "recorder/chunk.h"
#include "recorder/chunk_builder.h"
#include "recorder/chunk_index.h"

namespace cairn::cli::testing_support {

constexpr const char* kSessionId = "7c1e9d2a-1111-4222-8333-444455556666";

// Makes the chunks of a recording one after the other, each continuing the one before.
class ChunkMaker {
 public:
  std::string begin(const recording::v1::Event& event) {
    recording::v1::Opening opening;
    *opening.mutable_begin() = event;
    return made(recorder::encode_opening(place(), opening));
  }
  std::string events(std::vector<recording::v1::Event> events) {
    return made(recorder::encode_plain_events(place(), std::move(events), {}));
  }
  // The index is put right.
  std::string end(recording::v1::Event event) {
    recording::v1::Closing closing;
    index_.copy_to(*event.mutable_end());
    *closing.mutable_end() = std::move(event);
    return made(recorder::encode_closing(place(), closing, {}));
  }

 private:
  recorder::ChunkPlace place() const {
    return {.session = uuid_bytes(kSessionId), .number = number_, .previous = leaf_, .anchor = kSecond};
  }
  std::string made(std::string chunk) {
    const recorder::ChunkView view = recorder::check_chunk(chunk).value();
    if (view.header.type == recorder::ChunkType::kEvents) index_.add(offset_, view.header);
    leaf_ = recorder::leaf_hash(view);
    offset_ += chunk.size();
    ++number_;
    return chunk;
  }

  uint64_t number_ = 0;
  uint64_t offset_ = 0;
  std::string leaf_;
  recorder::ChunkIndex index_;
};

// Begin and "the beginning"; "the end", an exit and End.
struct TestRecording {
  std::string first;
  std::string second;
  std::string whole() const { return first + second; }
};

inline TestRecording make_recording() {
  ChunkMaker make;
  recording::v1::Event begin;
  begin.set_boot_ns(kSecond);
  begin.mutable_begin()->set_session_id(kSessionId);
  begin.mutable_begin()->set_user("alice");
  begin.mutable_begin()->set_login("deploy");
  begin.mutable_begin()->set_node_name("web-1");
  TestRecording recording;
  recording.first = make.begin(begin);
  recording.first += make.events({output_at(2 * kSecond, "the beginning\r\n")});

  recording::v1::Event exit = exit_at(4 * kSecond, 7);
  exit.set_kernel_seq(1);
  recording.second = make.events({output_at(3 * kSecond, "the end\r\n"), exit});
  recording::v1::Event end;
  end.set_boot_ns(5 * kSecond);
  end.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
  end.mutable_end()->set_kernel_issued(1);
  end.mutable_end()->set_kernel_stored(1);
  end.mutable_end()->set_output_bytes(24);
  recording.second += make.end(end);
  return recording;
}

}  // namespace cairn::cli::testing_support
