#include "agent/supervisor/metrics_file.h"

#include <fmt/format.h>

namespace cairn::agent {

std::string metrics_text(const AgentMetrics& metrics) {
  return fmt::format(
      "# HELP cairn_agent_capture_info The capture tier in force.\n"
      "# TYPE cairn_agent_capture_info gauge\n"
      "cairn_agent_capture_info{{tier=\"{}\"}} 1\n"
      "# HELP cairn_agent_capture_whole 1 when the kernel's programs see all classes of events, as far as the canary "
      "knows.\n"
      "# TYPE cairn_agent_capture_whole gauge\n"
      "cairn_agent_capture_whole {}\n"
      "# HELP cairn_agent_capture_blind_total Times that the canary began to miss a class of events.\n"
      "# TYPE cairn_agent_capture_blind_total counter\n"
      "cairn_agent_capture_blind_total {}\n"
      "# HELP cairn_agent_live_sessions Sessions that are being recorded.\n"
      "# TYPE cairn_agent_live_sessions gauge\n"
      "cairn_agent_live_sessions {}\n"
      "# HELP cairn_agent_spool_bytes Recordings that auth does not have yet.\n"
      "# TYPE cairn_agent_spool_bytes gauge\n"
      "cairn_agent_spool_bytes {}\n",
      metrics.capture_tier, metrics.is_capture_whole ? 1 : 0, metrics.times_blind, metrics.live_sessions,
      metrics.spool_bytes);
}

}  // namespace cairn::agent
