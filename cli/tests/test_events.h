#pragma once

#include <string>
#include <string_view>

#include "proto/recording.pb.h"

namespace cairn::cli::testing_support {

constexpr uint64_t kSecond = 1'000'000'000;

inline recording::v1::Event begin_at(uint64_t boot_ns) {
  recording::v1::Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_begin()->set_user("alice");
  return event;
}

inline recording::v1::Event output_at(uint64_t boot_ns, std::string_view data) {
  recording::v1::Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
  event.mutable_output()->set_data(std::string(data));
  return event;
}

// Its line reads: exit  pid PID status 0
inline recording::v1::Event exit_at(uint64_t boot_ns, uint32_t pid) {
  recording::v1::Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_process_exit()->mutable_process()->set_pid(pid);
  return event;
}

}  // namespace cairn::cli::testing_support
