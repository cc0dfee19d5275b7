#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// One record of a session's ring (bpf/events.h) as an event of the recording. The record is not trusted: every length
// is checked against `record` before it is used.
//   session_key  whose ring it came from
//   fails        Errc::kInvalid: it breaks its format; the sentence says where
Result<recording::v1::Event> decode_event(std::string_view record, uint64_t session_key);

// What stands in the recording for a record that decode_event() refused: Gap{GAP_REASON_UNREADABLE}, of its time and
// its sequence number when its header still says them, of `now_boot_ns` and unknown otherwise.
recording::v1::Event unreadable_event(std::string_view record, uint64_t session_key, uint64_t now_boot_ns);

}  // namespace cairn::agent
