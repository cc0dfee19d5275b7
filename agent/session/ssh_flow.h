#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <libssh/libssh.h>

namespace cairn::agent {

// libssh has bytes that the connection does not take yet: what is given to it now only fills its memory.
inline bool is_write_pending(ssh_session session) { return (ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0; }

// Whether the connection has taken all that libssh was given: after each write it does not know, and keeps the next.
// What comes from the client may be read on the way.
inline bool flush(ssh_channel channel) {
  constexpr int kDoNotWait = 0;
  return ssh_blocking_flush(ssh_channel_get_session(channel), kDoNotWait) == SSH_OK;
}

// libssh and the other side take bytes of this channel now.
inline bool takes_bytes(ssh_channel channel) {
  return !is_write_pending(ssh_channel_get_session(channel)) && ssh_channel_window_size(channel) > 0;
}

// What the other side has sent, at most `bytes` of it, into `into`. False: nothing waits.
inline bool fetch_from(ssh_channel channel, size_t bytes, std::string& into) {
  into.resize(bytes);
  const int got = ssh_channel_read_nonblocking(channel, into.data(), static_cast<uint32_t>(bytes), 0);
  into.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return got > 0;
}

}  // namespace cairn::agent
