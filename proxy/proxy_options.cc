#include "proxy/proxy_options.h"

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::proxy {
namespace {

constexpr const char* kDefaultFile = "/etc/cairn/proxy.yaml";
constexpr uint16_t kDefaultPort = 3080;
constexpr uint16_t kDefaultAuthPort = 3025;
constexpr size_t kMaxTokenBytes = 4096;

Result<std::string> read_token(const std::string& token) {
  if (!token.starts_with('@')) return token;
  Result<std::string> text = read_file(token.substr(1), kMaxTokenBytes);
  if (!text) return fail(text, "token");
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  return text;
}

}  // namespace

Result<ProxyCommand> parse_proxy_command(int argc, const char* const* argv) {
  ProxyCommand command;
  ProxyOptions& options = command.options;
  std::string listen_address = fmt::format("0.0.0.0:{}", kDefaultPort);
  std::string auth_address = fmt::format("127.0.0.1:{}", kDefaultAuthPort);
  std::string log_level = "info";
  std::string token;
  options.name = "proxy";

  Options table;
  table.add("data_dir", &options.data_dir, "where the proxy keeps its identity");
  table.add("listen_address", &listen_address, "the one public port, ip:port");
  table.add("auth_address", &auth_address, "where auth listens, host:port");
  table.add("token", &token, "join token of type proxy, or @FILE; needed once");
  table.add("ca_pin", &options.ca_pin, "CA pin of the cluster, sha256:…; needed to join");
  table.add("insecure_no_ca_pin", &options.is_pin_waived, "join without a CA pin: whoever answers is believed");
  table.add("name", &options.name, "name of this proxy");
  table.add("dial_lease", &options.dial_lease, "how long a client waits for a node to dial back");
  table.add("log_level", &log_level, "debug, info, warn or error");
  if (Result<void> parsed = table.parse(argc, argv, kDefaultFile); !parsed) return fail(parsed);
  if (table.help_wanted()) {
    command.kind = ProxyCommand::Kind::kHelp;
    command.text = "cairn-proxy: the public door of a Cairn cluster\n\n" + table.help() +
                   "\nExample:\n  cairn-proxy --auth-address 127.0.0.1:3025 --token TOKEN --ca-pin sha256:…\n";
    return command;
  }
  if (table.version_wanted()) {
    command.kind = ProxyCommand::Kind::kVersion;
    command.text = "cairn-proxy " CAIRN_VERSION "\n";
    return command;
  }
  Result<tunnel::Address> listen = tunnel::parse_address(listen_address, kDefaultPort);
  if (!listen) return fail(listen, "listen_address");
  Result<tunnel::Address> auth = tunnel::parse_address(auth_address, kDefaultAuthPort);
  if (!auth) return fail(auth, "auth_address");
  Result<LogLevel> level = parse_log_level(log_level);
  if (!level) return fail(level, "log_level");
  Result<std::string> secret = read_token(token);
  if (!secret) return fail(secret);
  if (options.dial_lease.count() < 1 || options.dial_lease.count() > 60)
    return fail(Errc::kInvalid, "dial_lease: must be within 1s..60s");
  options.listen = std::move(*listen);
  options.auth = std::move(*auth);
  options.log_level = *level;
  options.token = std::move(*secret);
  return command;
}

}  // namespace cairn::proxy
