#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/async.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/auth.pb.h"
#include "proxy/agent_registry.h"
#include "tunnel/auth_client.h"

namespace cairn::proxy {

struct PresenceTimes {
  std::chrono::milliseconds answer_limit{15'000};
  std::chrono::milliseconds gathering{100};       // between two reports at least
  std::chrono::milliseconds sign_of_life{5'000};  // between two reports at most, about: auth may have restarted
  std::chrono::milliseconds renewal{3'600'000};   // of the connection: auth ends none of its own accord so soon
  std::chrono::milliseconds first_retry{500};
  std::chrono::milliseconds last_retry{10'000};
};

// Tells auth which nodes are connected here, over a connection of its own: all of them when it begins, then whatever
// changes. At auth all of it ends with that connection, so this proxy's own end needs no word. Thread: the event
// loop's.
class Presence {
 public:
  using Connect = std::function<awaitable<Result<std::unique_ptr<tunnel::AuthClient>>>()>;

  // `agents` outlives it, and is watched by it alone.
  Presence(const asio::any_io_executor& executor, AgentRegistry* agents, Connect connect, Log log,
           PresenceTimes times = {});
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() { agents_->watch({}); }

  // Until cancelled. That auth cannot be told is logged when it begins.
  awaitable<void> run();

 private:
  awaitable<std::optional<Error>> report();
  auth::v1::Request next_report();

  AgentRegistry* agents_;
  Connect connect_;
  Log log_;
  PresenceTimes times_;
  Backoff backoff_;
  Doorbell changed_;
  std::unique_ptr<tunnel::AuthClient> before_;  // what was told on it counts until the next connection has told all
  std::set<std::string> untold_;                // UUIDs of nodes that came or went
  bool is_failing_ = false;
};

}  // namespace cairn::proxy
