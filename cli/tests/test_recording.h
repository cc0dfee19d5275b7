#pragma once

#include <string>

#include "base/bytes.h"
#include "cli/tests/test_events.h"
#include "recorder/chunk.h"

namespace cairn::cli::testing_support {

constexpr const char* kSessionId = "7c1e9d2a-1111-4222-8333-444455556666";

inline std::string chunk_of(uint64_t number, bool is_final, const recording::v1::Batch& batch) {
  return recorder::encode_chunk({.is_final = is_final, .session = uuid_bytes(kSessionId), .number = number}, batch)
      .value();
}

// Two chunks: Begin and "the beginning"; "the end", an exit and End.
struct TestRecording {
  std::string first;
  std::string second;
  std::string whole() const { return first + second; }
};

inline TestRecording make_recording() {
  recording::v1::Batch one;
  recording::v1::Event& begin = *one.add_events();
  begin.set_boot_ns(kSecond);
  begin.mutable_begin()->set_session_id(kSessionId);
  begin.mutable_begin()->set_user("alice");
  begin.mutable_begin()->set_login("deploy");
  begin.mutable_begin()->set_node_name("web-1");
  *one.add_events() = output_at(2 * kSecond, "the beginning\r\n");
  TestRecording recording;
  recording.first = chunk_of(0, false, one);

  recording::v1::Batch two;
  *two.add_events() = output_at(3 * kSecond, "the end\r\n");
  recording::v1::Event& exit = *two.add_events();
  exit = exit_at(4 * kSecond, 7);
  exit.set_kernel_seq(1);
  recording::v1::Event& end = *two.add_events();
  end.set_boot_ns(5 * kSecond);
  end.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
  end.mutable_end()->set_kernel_issued(1);
  end.mutable_end()->set_kernel_stored(1);
  end.mutable_end()->set_output_bytes(24);
  recording::v1::IndexEntry& entry = *end.mutable_end()->add_index();
  entry.set_first_boot_ns(kSecond);
  entry.set_last_boot_ns(2 * kSecond);
  entry.set_events(2);
  recording.second = chunk_of(1, true, two);
  return recording;
}

}  // namespace cairn::cli::testing_support
