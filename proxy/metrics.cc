#include "proxy/metrics.h"

#include <array>

#include <fmt/format.h>

namespace cairn::proxy {
namespace {

struct Description {
  Metrics::Name name;
  const char* series;
  const char* type;
  const char* label;  // empty: none
  const char* help;
};
constexpr std::array<Description, 8> kDescriptions = {{
    {Metrics::Name::kConnections, "cairn_proxy_connections_total", "counter", "alpn", "Connections accepted, by type."},
    {Metrics::Name::kRefused, "cairn_proxy_refused_total", "counter", "reason",
     "Connections refused before or in the handshake."},
    {Metrics::Name::kAcceptPauses, "cairn_proxy_accept_pauses_total", "counter", "",
     "Times that nobody was accepted until a handshake had ended."},
    {Metrics::Name::kHandshakes, "cairn_proxy_handshakes", "gauge", "",
     "Connections that have proved nothing yet: between accept and the end of the handshake, or served a page."},
    {Metrics::Name::kAgents, "cairn_proxy_agents", "gauge", "", "Agents with a control connection."},
    {Metrics::Name::kRelays, "cairn_proxy_relays", "gauge", "", "Connections being relayed."},
    {Metrics::Name::kRelayedBytes, "cairn_proxy_relayed_bytes_total", "counter", "", "Bytes relayed, both directions."},
    {Metrics::Name::kDials, "cairn_proxy_dials_total", "counter", "outcome", "Requests for a node, by outcome."},
}};

}  // namespace

void Metrics::add(Name name, int64_t delta, std::string_view label) { values_[{name, std::string(label)}] += delta; }

std::string Metrics::text() const {
  std::string text;
  for (const Description& metric : kDescriptions) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", metric.series, metric.help, metric.type);
    bool has_value = false;
    for (const auto& [key, value] : values_) {
      if (key.first != metric.name) continue;
      has_value = true;
      text += key.second.empty() ? fmt::format("{} {}\n", metric.series, value)
                                 : fmt::format("{}{{{}=\"{}\"}} {}\n", metric.series, metric.label, key.second, value);
    }
    if (!has_value && metric.label[0] == '\0') text += fmt::format("{} 0\n", metric.series);
  }
  return text;
}

}  // namespace cairn::proxy
