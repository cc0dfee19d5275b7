#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/options.h"
#include "base/result.h"
#include "tunnel/connect.h"

namespace cairn::agent {

constexpr const char* kDefaultConfig = "/etc/cairn/agent.yaml";
constexpr uint16_t kDefaultProxyPort = 3080;

// What /etc/cairn/agent.yaml and the flags of cairn-agent say.
struct AgentOptions {
  std::filesystem::path data_dir = "/var/lib/cairn-agent";
  std::string proxy_address;
  std::string token;
  std::string ca_pin;
  bool insecure_no_ca_pin = false;
  std::string name;  // this host's, unless given
  std::map<std::string, std::string> labels;
  std::filesystem::path bpf_dir = "/sys/fs/bpf/cairn";
  std::string capture_tier = "auto";
  bool require_capture = true;
  bool exec_ledger = true;
  std::filesystem::path metrics_file;  // empty: none
  std::string recording_policy = "accounted";
  std::string events = "folded";
  std::chrono::seconds linger_limit{0};
  uint64_t spool_quota_bytes = uint64_t{1} << 30;
  uint64_t spool_total_bytes = 0;
  uint64_t spool_reserve_bytes = uint64_t{64} << 20;
  uint64_t upload_bytes_per_s = 0;
  uint64_t max_sessions = 1000;
  std::string log_level = "info";

  // Derived by check().
  std::vector<tunnel::Address> proxies;  // one at least
  LogLevel level = LogLevel::kInfo;

  AgentOptions();

  // `this` must outlive `table`.
  void declare(Options& table);

  // Looks at what no single option can: fills the derived members.
  //   fails  kInvalid: names the option and what it wants
  Result<void> check();
};

// The first label of the host's name, in lower case.
std::string default_node_name();

}  // namespace cairn::agent
