#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/async.h"
#include "proxy/metrics.h"
#include "tunnel/stream.h"

namespace cairn::proxy {

// http/1.1 on the one port: GET /healthz (it lives), /readyz (it takes work; 503 while it drains), /metrics
// (Prometheus) and /v1/ping (JSON). Everything else is 404 with a JSON error.
class HttpFront {
 public:
  // `is_ready`: whether new work is taken.
  HttpFront(std::string cluster, const Metrics* metrics, std::function<bool()> is_ready)
      : cluster_(std::move(cluster)), metrics_(metrics), is_ready_(std::move(is_ready)) {}

  // Serves one connection until it closes, is idle for 30 s, or sends what is no HTTP (400) or too much of it (431).
  awaitable<void> serve(std::unique_ptr<tunnel::Connection> connection) const;

 private:
  std::string respond(const std::string& method, const std::string& target) const;

  std::string cluster_;
  const Metrics* metrics_;
  std::function<bool()> is_ready_;
};

}  // namespace cairn::proxy
