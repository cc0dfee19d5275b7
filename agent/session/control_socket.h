#pragma once

#include <optional>
#include <string>

#include <google/protobuf/message_lite.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// The socket between a worker and one login process: SOCK_SEQPACKET, one message of proto/agent.proto per packet, so
// that neither end ever holds half a message.

// The limit of a message. The kernel itself allows no argument of 128 KiB (MAX_ARG_STRLEN), so no longer command could
// run.
constexpr size_t kMaxControlBytes = 160 * 1024;

struct ControlPair {
  UniqueFd worker;
  UniqueFd login;
};
// Both ends hold two messages of the greatest size without a reader.
Result<ControlPair> make_control_pair();

// Never waits and raises no SIGPIPE.
//   fails  kTooLarge; EAGAIN: the other end does not read; EPIPE: it is gone
Result<void> send_control(int socket, const google::protobuf::MessageLite& message);

enum class Waiting { kForMessage, kNot };
// The next message into *message. False: none is there (Waiting::kNot only).
//   fails  kClosed: the other end is gone. kCorrupt: the packet holds no such message. An errno.
Result<bool> receive_control(int socket, google::protobuf::MessageLite* message, Waiting waiting);

}  // namespace cairn::agent
