#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/result.h"

namespace cairn::auth {

// Which nodes are connected, as proxies report it. Kept in memory alone: it is true of this moment, and proxies say all
// of it again when they connect. Thread-safe.
class Presence {
 public:
  // What one proxy says on one connection; taken back when it ends. Outlived by its Presence. One thread at a time.
  class Report {
   public:
    explicit Report(Presence* presence) : presence_(presence) {}
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;
    ~Report();

    // The node with this UUID is connected to the proxy.
    //   fails  kInvalid: no UUID. kTooLarge: more nodes than a proxy can hold
    Result<void> add(const std::string& id);
    void remove(const std::string& id);

   private:
    Presence* presence_;
    std::unordered_set<std::string> nodes_;
  };

  bool is_connected(const std::string& node_id) const;

 private:
  void count(const std::string& node_id);
  void discount(const std::string& node_id);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, uint32_t> proxies_;  // of a node's UUID: at how many it is
};

}  // namespace cairn::auth
