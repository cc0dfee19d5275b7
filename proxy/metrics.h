#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace cairn::proxy {

// Counters and gauges in Prometheus' text format (version 0.0.4). One thread.
class Metrics {
 public:
  enum class Name {
    kConnections,   // cairn_proxy_connections_total{alpn}
    kRefused,       // cairn_proxy_refused_total{reason}
    kAcceptPauses,  // cairn_proxy_accept_pauses_total
    kHandshakes,    // cairn_proxy_handshakes, gauge
    kAgents,        // cairn_proxy_agents, gauge
    kRelays,        // cairn_proxy_relays, gauge
    kRelayedBytes,  // cairn_proxy_relayed_bytes_total
    kDials,         // cairn_proxy_dials_total{outcome}
  };
  // `label` is the value of the metric's one label, empty for those without. It is ours, never a stranger's text.
  void add(Name name, int64_t delta, std::string_view label = {});
  std::string text() const;

 private:
  std::map<std::pair<Name, std::string>, int64_t> values_;
};

// Counts one thing as long as it lives.
class Counted {
 public:
  Counted(Metrics* metrics, Metrics::Name name) : metrics_(metrics), name_(name) { metrics_->add(name_, 1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { metrics_->add(name_, -1); }

 private:
  Metrics* metrics_;
  Metrics::Name name_;
};

}  // namespace cairn::proxy
