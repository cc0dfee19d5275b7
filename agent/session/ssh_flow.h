#pragma once

#include <algorithm>
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
//   has_input  the caller's flag, which callbacks set when something comes; cleared when this was all, since a look
//              that finds nothing costs libssh a poll(2)
inline bool fetch_from(ssh_channel channel, size_t bytes, std::string& into, bool& has_input) {
  has_input = false;  // callbacks run in here, too
  const int waiting = ssh_channel_poll(channel, 0);
  into.resize(waiting > 0 ? std::min(bytes, static_cast<size_t>(waiting)) : 0);
  if (into.empty()) return false;
  const int got = ssh_channel_read_nonblocking(channel, into.data(), static_cast<uint32_t>(into.size()), 0);
  into.resize(got > 0 ? static_cast<size_t>(got) : 0);
  if (static_cast<size_t>(waiting) > into.size()) has_input = true;
  return got > 0;
}

}  // namespace cairn::agent
