#pragma once

#include <cstdint>
#include <string>

#include "proto/agent.pb.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// How a channel's program ended, as SSH tells it.
struct ChannelExit {
  uint32_t status = 0;
  std::string signal;  // RFC 4254 §6.10; empty after a normal exit
  bool has_core = false;
};

// From a login process's last word.
ChannelExit channel_exit(const v1::FromLogin& last_word);

recording::v1::Event channel_closed_event(uint32_t channel, const ChannelExit& exit, uint64_t boot_ns);

}  // namespace cairn::agent
