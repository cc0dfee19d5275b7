#include "auth/service/presence.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxNodes = 100'000;  // of one proxy; each takes some 200 bytes

}  // namespace

Presence::Report::~Report() {
  for (const std::string& id : nodes_) presence_->discount(id);
}

Result<void> Presence::Report::add(const std::string& id) {
  if (!is_uuid(id)) return fail(Errc::kInvalid, "presence: a node's UUID is none");
  if (nodes_.size() >= kMaxNodes) return fail(Errc::kTooLarge, fmt::format("presence: over {} nodes", kMaxNodes));
  if (nodes_.insert(id).second) presence_->count(id);
  return {};
}

void Presence::Report::remove(const std::string& id) {
  if (nodes_.erase(id) == 1) presence_->discount(id);
}

bool Presence::is_connected(const std::string& node_id) const {
  const std::lock_guard lock(mutex_);
  return proxies_.contains(node_id);
}

void Presence::count(const std::string& node_id) {
  const std::lock_guard lock(mutex_);
  ++proxies_[node_id];
}

void Presence::discount(const std::string& node_id) {
  const std::lock_guard lock(mutex_);
  const auto found = proxies_.find(node_id);
  if (--found->second == 0) proxies_.erase(found);
}

}  // namespace cairn::auth
