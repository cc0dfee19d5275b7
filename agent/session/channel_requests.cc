// What a client asks of one channel, taken out of libssh's messages and callbacks.
#include <algorithm>

#include "agent/session/channel.h"

// libssh calls these accessors deprecated in favour of callbacks, which must answer before they return; the answer to a
// forwarding waits for a connect(2) (docs/decisions/ssh-messages.md).
#pragma clang diagnostic ignored "-Wdeprecated-declarations"

namespace cairn::agent {
namespace {

uint32_t cells(int count) { return static_cast<uint32_t>(std::max(count, 0)); }

TerminalSize size_in(ssh_message request) {
  return {.columns = cells(ssh_message_channel_request_pty_width(request)),
          .rows = cells(ssh_message_channel_request_pty_height(request))};
}

// libssh has no text for what the client left out.
const char* text(const char* of_message) { return of_message != nullptr ? of_message : ""; }

v1::ForwardX11 display_in(ssh_message request) {
  v1::ForwardX11 display;
  display.set_protocol(text(ssh_message_channel_request_x11_auth_protocol(request)));
  display.set_cookie(text(ssh_message_channel_request_x11_auth_cookie(request)));
  display.set_screen(static_cast<uint32_t>(ssh_message_channel_request_x11_screen_number(request)));
  return display;
}

}  // namespace

bool Channel::handle(ssh_message request) {
  switch (ssh_message_subtype(request)) {
    case SSH_CHANNEL_REQUEST_PTY: return on_pty(text(ssh_message_channel_request_pty_term(request)), size_in(request));
    case SSH_CHANNEL_REQUEST_WINDOW_CHANGE: return on_window_change(size_in(request)), true;
    case SSH_CHANNEL_REQUEST_ENV:
      return on_environment(text(ssh_message_channel_request_env_name(request)),
                            text(ssh_message_channel_request_env_value(request)));
    case SSH_CHANNEL_REQUEST_SHELL: return on_start(recording::v1::CHANNEL_TYPE_SHELL, "");
    case SSH_CHANNEL_REQUEST_EXEC:
      return on_start(recording::v1::CHANNEL_TYPE_COMMAND, text(ssh_message_channel_request_command(request)));
    case SSH_CHANNEL_REQUEST_SUBSYSTEM:
      return on_start(recording::v1::CHANNEL_TYPE_SUBSYSTEM, text(ssh_message_channel_request_subsystem(request)));
    case SSH_CHANNEL_REQUEST_X11:
      return on_x11(display_in(request), ssh_message_channel_request_x11_single_connection(request) != 0);
    default: return on_unknown(), false;
  }
}

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
  // libssh grants what has a callback; without, the client hears that its agent stays where it is.
  if (terms_->may_forward_agent) {
    callbacks_.channel_auth_agent_req_function = [](ssh_session, ssh_channel, void* user) {
      static_cast<Channel*>(user)->on_agent();
    };
  }
  ssh_callbacks_init(&callbacks_);
  ssh_set_channel_callbacks(channel_, &callbacks_);
}

}  // namespace cairn::agent
