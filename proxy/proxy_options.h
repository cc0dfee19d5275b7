#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/log.h"
#include "base/options.h"
#include "base/result.h"
#include "tunnel/connect.h"

namespace cairn::proxy {

struct ProxyOptions {
  std::filesystem::path data_dir = "/var/lib/cairn-proxy";
  tunnel::Address listen;
  tunnel::Address auth;
  std::string token;  // the secret itself: "@/path" has been read
  std::string ca_pin;
  bool is_pin_waived = false;
  std::string name;
  std::chrono::seconds dial_lease{10};
  std::chrono::seconds handshake_limit{10};
  uint64_t handshakes = 512;
  uint64_t handshakes_per_address = 128;
  std::string proxy_protocol_from;  // networks, separated by commas; empty: nobody
  std::chrono::seconds drain_limit{30};
  LogLevel log_level = LogLevel::kInfo;
};

// What the command line asks for.
struct ProxyCommand {
  enum class Kind { kServe, kHelp, kVersion } kind = Kind::kServe;
  ProxyOptions options;
  std::string text;  // of help and version
};

// Reads the command line and the configuration file (default /etc/cairn/proxy.yaml).
Result<ProxyCommand> parse_proxy_command(int argc, const char* const* argv);

}  // namespace cairn::proxy
