#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
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
  bool holds(std::string_view id) const { return by_id_.contains(id); }
  std::set<std::string> ids() const;
  // Hears of the UUID of each node that comes or goes, from now on.
  using OnChange = std::function<void(const std::string& id)>;
  void watch(OnChange on_change) { on_change_ = std::move(on_change); }
  void close_all();
  size_t size() const { return by_id_.size(); }

 private:
  void changed(const std::string& id) const;

  OnChange on_change_;
  std::map<std::string, std::shared_ptr<ControlChannel>, std::less<>> by_id_;
};

}  // namespace cairn::proxy
