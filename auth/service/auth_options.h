#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "auth/service/issuer.h"
#include "base/log.h"
#include "base/options.h"
#include "base/result.h"
#include "tunnel/connect.h"

namespace cairn::auth {

constexpr const char* kDefaultConfig = "/etc/cairn/auth.yaml";
constexpr uint16_t kDefaultPort = 3025;

// What /etc/cairn/auth.yaml and the flags of cairn-auth say.
struct AuthOptions {
  std::filesystem::path data_dir = "/var/lib/cairn-auth";
  std::string listen_address = "127.0.0.1:3025";
  std::string cluster = "cairn";
  Lifetimes lifetimes;
  std::string recording_recipients = "cluster";
  std::string timestamp_command;
  std::chrono::seconds recompress_after = std::chrono::hours(1);
  std::string log_level = "info";

  // Derived by check().
  tunnel::Address address;
  std::vector<std::string> recipients;
  LogLevel level = LogLevel::kInfo;

  // `this` must outlive `table`.
  void declare(Options& table);
  // Looks at what no single option can: fills the derived members.
  //   fails  kInvalid: names the option and what it wants
  Result<void> check();
};

}  // namespace cairn::auth
