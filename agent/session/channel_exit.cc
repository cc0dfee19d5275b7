#include "agent/session/channel_exit.h"

#include "agent/session/ssh_signal.h"
#include "agent/session/user_program.h"

namespace cairn::agent {
namespace {

// A signal that RFC 4254 has no name for, as sshd tells it.
constexpr const char* kNamelessSignal = "SIG@openssh.com";

}  // namespace

ChannelExit channel_exit(const v1::FromLogin& last_word) {
  ChannelExit exit;
  if (last_word.has_refused()) {
    exit.status = kNotStarted;
  } else if (last_word.ended().signal() != 0) {
    const std::string_view name = signal_name(static_cast<int>(last_word.ended().signal()));
    exit.signal = name.empty() ? kNamelessSignal : name;
    exit.has_core = last_word.ended().core_dumped();
  } else {
    exit.status = last_word.ended().exit_status();
  }
  return exit;
}

recording::v1::Event channel_closed_event(uint32_t channel, const ChannelExit& exit, uint64_t boot_ns) {
  recording::v1::Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_channel_closed()->set_channel(channel);
  event.mutable_channel_closed()->set_exit_status(exit.status);
  event.mutable_channel_closed()->set_exit_signal(exit.signal);
  return event;
}

}  // namespace cairn::agent
