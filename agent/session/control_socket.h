#pragma once

#include <span>
#include <vector>

#include <google/protobuf/message_lite.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// The socket between a worker and one login process: SOCK_SEQPACKET, one message of proto/agent.proto per packet, so
// that neither end ever holds half a message.

// The limit of a message. The kernel itself allows no argument of 128 KiB (MAX_ARG_STRLEN), so no longer command could
// run.
constexpr size_t kMaxControlBytes = 160 * 1024;
constexpr size_t kMaxControlDescriptors = 4;

struct ControlPair {
  UniqueFd worker;
  UniqueFd login;
};
// Both ends hold two messages of the greatest size without a reader.
Result<ControlPair> make_control_pair();

// Never waits and raises no SIGPIPE.
//   descriptors  borrowed; the other end gets its own (SCM_RIGHTS), kMaxControlDescriptors at most
//   fails        kTooLarge; EAGAIN: the other end does not read; EPIPE: it is gone
Result<void> send_control(int socket, const google::protobuf::MessageLite& message,
                          std::span<const int> descriptors = {});

enum class Waiting { kForMessage, kNot };
// The next message into *message. False: none is there (Waiting::kNot only).
//   descriptors  those that came with it; null: they are closed
//   fails        kClosed: the other end is gone. kCorrupt: the packet holds no such message. An errno.
Result<bool> receive_control(int socket, google::protobuf::MessageLite* message, Waiting waiting,
                             std::vector<UniqueFd>* descriptors = nullptr);

}  // namespace cairn::agent
