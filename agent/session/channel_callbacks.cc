// What libssh calls, and no more: each callback hands its arguments to the Channel behind `user`.
#include "agent/session/channel.h"

#include <algorithm>

namespace cairn::agent {
namespace {

constexpr int kGranted = 0;
constexpr int kRefused = 1;

int answer(bool is_granted) { return is_granted ? kGranted : kRefused; }

uint32_t cells(int count) { return static_cast<uint32_t>(std::max(count, 0)); }

}  // namespace

void Channel::set_callbacks() {
  callbacks_.userdata = this;
  // Nothing is consumed here: the bytes stay in the channel until the program takes them. What a client sends as
  // standard error has no meaning towards a server.
  callbacks_.channel_data_function = [](ssh_session, ssh_channel, void*, uint32_t bytes, int is_errors, void* user) {
    if (is_errors != 0) return static_cast<int>(bytes);
    static_cast<Channel*>(user)->streams_.note_input();
    return 0;
  };
  callbacks_.channel_eof_function = [](ssh_session, ssh_channel, void* user) {
    static_cast<Channel*>(user)->streams_.note_input_end();
  };
  callbacks_.channel_close_function = [](ssh_session, ssh_channel, void* user) {
    static_cast<Channel*>(user)->streams_.note_client_gone();
  };
  callbacks_.channel_signal_function = [](ssh_session, ssh_channel, const char* name, void* user) {
    static_cast<Channel*>(user)->on_signal(name);
  };
  callbacks_.channel_pty_request_function = [](ssh_session, ssh_channel, const char* term, int columns, int rows, int,
                                               int, void* user) {
    return answer(static_cast<Channel*>(user)->on_pty(term, {.columns = cells(columns), .rows = cells(rows)}));
  };
  callbacks_.channel_pty_window_change_function = [](ssh_session, ssh_channel, int columns, int rows, int, int,
                                                     void* user) {
    static_cast<Channel*>(user)->on_window_change({.columns = cells(columns), .rows = cells(rows)});
    return kGranted;
  };
  callbacks_.channel_env_request_function = [](ssh_session, ssh_channel, const char* name, const char* value,
                                               void* user) {
    return answer(static_cast<Channel*>(user)->on_environment(name, value));
  };
  callbacks_.channel_shell_request_function = [](ssh_session, ssh_channel, void* user) {
    return answer(static_cast<Channel*>(user)->on_start(recording::v1::CHANNEL_TYPE_SHELL, ""));
  };
  callbacks_.channel_exec_request_function = [](ssh_session, ssh_channel, const char* command, void* user) {
    return answer(static_cast<Channel*>(user)->on_start(recording::v1::CHANNEL_TYPE_COMMAND, command));
  };
  callbacks_.channel_subsystem_request_function = [](ssh_session, ssh_channel, const char* name, void* user) {
    return answer(static_cast<Channel*>(user)->on_start(recording::v1::CHANNEL_TYPE_SUBSYSTEM, name));
  };
  ssh_callbacks_init(&callbacks_);
  ssh_set_channel_callbacks(channel_, &callbacks_);
}

}  // namespace cairn::agent
