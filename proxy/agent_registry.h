#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/control_channel.h"

namespace cairn::proxy {

// Which agents are connected, by the UUID and the name of their certificates. One thread.
class AgentRegistry {
 public:
  // The newest connection of a node wins: the older one is closed (its host lost it without noticing).
  void add(std::shared_ptr<ControlChannel> channel);
  // Forgets the channel if it still is its node's.
  void remove(const ControlChannel* channel);
  // All connected nodes of this name, or the one of this UUID.
  std::vector<std::shared_ptr<ControlChannel>> find(std::string_view name_or_uuid) const;
  void close_all();
  size_t size() const { return by_id_.size(); }

 private:
  std::map<std::string, std::shared_ptr<ControlChannel>, std::less<>> by_id_;
};

}  // namespace cairn::proxy
