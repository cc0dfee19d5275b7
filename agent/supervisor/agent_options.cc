#include "agent/supervisor/agent_options.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace cairn::agent {
namespace {

// [a-z0-9]([a-z0-9.-]{0,62}), as proto/enroll.proto has it.
bool is_node_name(std::string_view name) {
  const auto is_letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && is_letter_or_digit(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
}

}  // namespace

std::string default_node_name() {
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0) return "";
  std::string name(host);
  name.resize(std::min(name.find('.'), name.size()));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

AgentOptions::AgentOptions() : name(default_node_name()) {}

void AgentOptions::declare(Options& table) {
  table.add("data_dir", &data_dir, "Directory of the node's identity and of recordings on their way to auth");
  table.add("proxy_address", &proxy_address,
            "Addresses of the cluster's proxies, host:port (port 3080 unless given), separated by commas; the agent is "
            "connected to each");
  table.add("token", &token, "Join token, or @/path of a file that holds it; used when the node has no identity yet");
  table.add("ca_pin", &ca_pin, "Pin of the cluster's host CA, sha256:…, as printed beside the token");
  table.add("insecure_no_ca_pin", &insecure_no_ca_pin,
            "Join without knowing who answers; for throw-away clusters only");
  table.add("name", &name, "Name of the node in the cluster");
  table.add("labels", &labels, "Labels of the node, by which roles choose nodes");
  table.add("bpf_dir", &bpf_dir,
            "Directory on a bpffs for the pinned programs and maps; mounted when it is not on one");
  table.add("capture_tier", &capture_tier, "auto: the best that the kernel takes; A, B or C: that one or none");
  table.add("require_capture", &require_capture,
            "End when the kernel accepts no capture tier; --require-capture=false goes on without");
  table.add("exec_ledger", &exec_ledger,
            "Tell auth what daemons (systemd, cron, at, containers) execute outside of sessions");
  table.add("metrics_file", &metrics_file,
            "Written every ten seconds for Prometheus' textfile collector: .../cairn_agent.prom; empty: none");
  table.add("recording_policy", &recording_policy,
            "accounted: kernel events that find no room are counted; aggregate: and repeated reading is, under load; "
            "lossless: "
            "programs that are too fast are held");
  table.add("events", &events,
            "folded: reading of libraries and locales is counted per program; full: each use is an event");
  table.add(
      "linger_limit", &linger_limit,
      "How long a recording stays open after the terminal while processes live, at most; 0 leaves it to the role");
  table.add("spool_quota_bytes", &spool_quota_bytes, uint64_t{1} << 20, uint64_t{1} << 44,
            "Bytes that one session's recording may take here");
  table.add("spool_total_bytes", &spool_total_bytes, 0, uint64_t{1} << 50,
            "Bytes that all recordings may take here together, those that auth has not acknowledged included; 0: no "
            "limit");
  table.add("spool_reserve_bytes", &spool_reserve_bytes, 0, uint64_t{1} << 50,
            "Bytes that recordings leave free on their disk; 0: they may fill it");
  table.add("upload_bytes_per_s", &upload_bytes_per_s, 0, uint64_t{1} << 40,
            "Bytes per second that the upload of recordings may take, running sessions first; 0: no limit");
  table.add("max_sessions", &max_sessions, 1, 100'000, "Sessions at one time; more are refused");
  table.add("log_level", &log_level, "debug, info, warn or error");
}

Result<void> AgentOptions::check() {
  const Result<LogLevel> parsed_level = parse_log_level(log_level);
  if (!parsed_level) return fail(parsed_level, "log_level");
  level = *parsed_level;
  if (recording_policy != "accounted" && recording_policy != "aggregate" && recording_policy != "lossless") {
    return fail(Errc::kInvalid,
                fmt::format("recording_policy \"{}\": it must be accounted, aggregate or lossless", recording_policy));
  }
  if (capture_tier != "auto" && capture_tier != "A" && capture_tier != "B" && capture_tier != "C") {
    return fail(Errc::kInvalid, fmt::format("capture_tier \"{}\": it must be auto, A, B or C", capture_tier));
  }
  if (events != "folded" && events != "full") {
    return fail(Errc::kInvalid, fmt::format("events \"{}\": it must be folded or full", events));
  }
  if (proxy_address.empty())
    return fail(Errc::kInvalid,
                fmt::format("proxy_address is not set; pass --proxy-address or write it into {}", kDefaultConfig));
  proxies.clear();
  for (size_t at = 0; at <= proxy_address.size();) {
    const size_t comma = std::min(proxy_address.find(',', at), proxy_address.size());
    Result<tunnel::Address> address =
        tunnel::parse_address(std::string_view(proxy_address).substr(at, comma - at), kDefaultProxyPort);
    if (!address) return fail(address, "proxy_address");
    proxies.push_back(std::move(*address));
    at = comma + 1;
  }
  if (!is_node_name(name)) {
    return fail(Errc::kInvalid, fmt::format("name \"{}\" is no node name: 1 to 63 of a-z, 0-9, \".\" and \"-\", "
                                            "beginning with a letter or digit; pass --name",
                                            name));
  }
  // They are handed to workers, whose working directory is another.
  data_dir = std::filesystem::absolute(data_dir);
  bpf_dir = std::filesystem::absolute(bpf_dir);
  return {};
}

}  // namespace cairn::agent
