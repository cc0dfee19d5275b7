#pragma once

#include <chrono>
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
