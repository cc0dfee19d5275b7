#include "proxy/agent_registry.h"

namespace cairn::proxy {

void AgentRegistry::add(std::shared_ptr<ControlChannel> channel) {
  std::shared_ptr<ControlChannel>& place = by_id_[channel->node().id];
  if (place) place->close();
  place = std::move(channel);
  changed(place->node().id);
}

void AgentRegistry::remove(const ControlChannel* channel) {
  const auto found = by_id_.find(channel->node().id);
  if (found == by_id_.end() || found->second.get() != channel) return;
  by_id_.erase(found);
  changed(channel->node().id);
}

void AgentRegistry::changed(const std::string& id) const {
  if (on_change_) on_change_(id);
}

std::set<std::string> AgentRegistry::ids() const {
  std::set<std::string> ids;
  for (const auto& [id, channel] : by_id_) ids.insert(ids.end(), id);
  return ids;
}

void AgentRegistry::close_all() {
  for (const auto& [id, channel] : by_id_) channel->close();
}

std::vector<std::shared_ptr<ControlChannel>> AgentRegistry::find(std::string_view name_or_uuid) const {
  if (const auto found = by_id_.find(name_or_uuid); found != by_id_.end()) return {found->second};
  std::vector<std::shared_ptr<ControlChannel>> named;
  for (const auto& [id, channel] : by_id_)
    if (channel->node().name == name_or_uuid) named.push_back(channel);
  return named;
}

}  // namespace cairn::proxy
