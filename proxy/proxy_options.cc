#include "proxy/proxy_options.h"

#include <fmt/format.h>

#include "base/file.h"
#include "tunnel/networks.h"

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
  table.add("handshake_limit", &options.handshake_limit,
            "how long a connection may take to its end of the handshake, and again to its first frame");
  table.add("handshakes", &options.handshakes, 1, 65'536, "connections at once that have proved nothing yet");
  table.add("handshakes_per_address", &options.handshakes_per_address, 1, 65'536,
            "of those, how many one address (IPv6: one /64) may have");
  table.add("proxy_protocol_from", &options.proxy_protocol_from,
            "load balancers, addresses and networks separated by commas, whose connections begin with a PROXY protocol "
            "version 2 header; nobody else's may");
  table.add("drain_limit", &options.drain_limit,
            "how long running sessions may go on after SIGTERM; a second SIGTERM ends them");
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
  if (options.handshake_limit.count() < 1 || options.handshake_limit.count() > 60)
    return fail(Errc::kInvalid, "handshake_limit: must be within 1s..60s");
  if (!options.proxy_protocol_from.empty()) {
    // Any address will do: what is looked at is the list.
    const Result<bool> is_list = tunnel::is_in_networks("192.0.2.1", options.proxy_protocol_from);
    if (!is_list) return fail(is_list, "proxy_protocol_from");
  }
  options.listen = std::move(*listen);
  options.auth = std::move(*auth);
  options.log_level = *level;
  options.token = std::move(*secret);
  return command;
}

}  // namespace cairn::proxy
