#pragma once

#include <cstdint>
#include <string>

namespace cairn::agent {

// What a node's own monitoring is told. An agent listens on no port, so it is written to a file, for the textfile
// collector of Prometheus' node_exporter.
struct AgentMetrics {
  std::string capture_tier;       // empty: none
  bool is_capture_whole = false;  // there is a tier, and the canary missed nothing when it sang last
  uint64_t times_blind = 0;       // how often it began to miss a class
  uint64_t live_sessions = 0;
  uint64_t spool_bytes = 0;
};

// In the text exposition format of Prometheus.
std::string metrics_text(const AgentMetrics& metrics);

}  // namespace cairn::agent
