#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "tunnel/identity.h"

namespace cairn::agent {

// Who this node is, as stored in its data directory and as every new connection shall present it. shared_ptr: a
// connection keeps the identity that it began with while a renewed one takes its place here. Thread: the event loop's.
class NodeIdentity {
 public:
  // The stored one; nullopt when the node has not joined yet. Blocks on the disk.
  static Result<std::optional<NodeIdentity>> load(const std::filesystem::path& data_dir);
  // Stores a new one, durably, before it is used. Blocks on the disk.
  static Result<NodeIdentity> create(const std::filesystem::path& data_dir, tunnel::Identity identity);

  const std::shared_ptr<const tunnel::Identity>& current() const { return current_; }

  // Stores the renewed identity, then presents it. On failure the old one stays in force.
  Result<void> replace(tunnel::Identity renewed);

 private:
  NodeIdentity(std::filesystem::path data_dir, tunnel::Identity identity)
      : data_dir_(std::move(data_dir)), current_(std::make_shared<const tunnel::Identity>(std::move(identity))) {}

  std::filesystem::path data_dir_;
  std::shared_ptr<const tunnel::Identity> current_;
};

// "the node's certificate expired at …; …": what is wrong and how to join again.
std::string expired_sentence(const tunnel::Identity& identity);

}  // namespace cairn::agent
