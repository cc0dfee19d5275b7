#include <unistd.h>

#include <memory>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/print/exit_code.h"
#include "cli/print/plain_text.h"
#include "cli/remote/byte_pipe.h"
#include "cli/remote/run_blocking.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/node_name.h"
#include "cli/verbs/verbs.h"
#include "proto/tunnel.pb.h"
#include "tunnel/connect.h"

namespace cairn::cli {
namespace {

using tunnel::v1::SshResponse;

constexpr uint16_t kDefaultProxyPort = 3080;
constexpr std::chrono::seconds kConnectLimit{15};
constexpr std::chrono::seconds kAnswerLimit{75};  // the proxy waits for the agent for at most 60 s

awaitable<Result<SshResponse>> exchange(tunnel::Connection* connection, tunnel::v1::SshRequest request) {
  awaitable<Result<void>> writing = connection->write(request);
  const Result<void> sent = co_await std::move(writing);
  if (!sent) co_return fail(sent);
  Result<std::optional<SshResponse>> response = co_await connection->read<SshResponse>(tunnel::kMaxControlFrameBytes);
  if (!response) co_return fail(response);
  std::optional<SshResponse>& answer = *response;
  if (!answer) co_return fail(Errc::kUnavailable, "the proxy closed the connection before it answered");
  co_return std::move(*answer);
}

// The proxy knows who is connected; only auth knows who exists.
Error not_connected(const Context& context, const std::string& node) {
  auth::v1::Request request;
  request.mutable_list_nodes()->set_name(node);
  const auto response = ask(context, std::move(request), auth::v1::Response::kListNodes);
  const std::string quoted = "\"" + printable(node) + "\"";
  if (!response && exit_code_of(response.error()) != kExitNotFound)
    return {Errc::kUnavailable,
            fmt::format("node {} is not connected to the proxy; auth, which knows whether it exists, "
                        "does not say: {}",
                        quoted, response.error().message)};
  if (!response || response->list_nodes().nodes().empty())
    return {Errc::kNotFound, fmt::format("unknown node {}; \"cairn ls\" lists those that you can reach", quoted)};
  const int64_t seen_s = response->list_nodes().nodes(0).last_seen_wall_s();
  return {Errc::kUnavailable,
          fmt::format("node {} is offline; last seen: {}", quoted, format_relative(seen_s, context.clock.wall_s()))};
}

Error refusal(const Context& context, const std::string& node, const SshResponse& response) {
  const std::string why = response.message().empty() ? "it gave no reason" : response.message();
  switch (response.outcome()) {
    case SshResponse::OUTCOME_NOT_CONNECTED: return not_connected(context, node);
    case SshResponse::OUTCOME_AMBIGUOUS:
      return {Errc::kInvalid,
              fmt::format("several nodes are called \"{}\"; name one by its UUID, which \"cairn ls\" shows", node)};
    case SshResponse::OUTCOME_REFUSED:
      return {Errc::kUnavailable, fmt::format("node \"{}\" refused the connection: {}", node, why)};
    case SshResponse::OUTCOME_TIMEOUT:
      return {Errc::kUnavailable, fmt::format("node \"{}\" did not answer in time: {}", node, why)};
    case SshResponse::OUTCOME_DRAINING: return {Errc::kUnavailable, why};
    default: return {Errc::kInternal, fmt::format("the proxy answered with something unknown: {}", why)};
  }
}

Result<int> proxy_ssh(const Context& context, const std::string& host) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  const auto identity = load_valid_identity(*home, context.clock);
  if (!identity) return fail(identity);
  const Result<Profile> profile = home->load_profile();
  if (!profile) return fail(profile);
  const Result<tunnel::Address> proxy = tunnel::parse_address(profile->proxy, kDefaultProxyPort);
  if (!proxy) return fail(proxy, home->profile_file().string());
  const std::string node = node_name_of(host, (*identity)->self.cluster);

  asio::io_context loop(1);
  auto connection = run_blocking(
      loop, tunnel::connect(*proxy, *identity, tunnel::Alpn::kSsh, tunnel::Role::kProxy, after(kConnectLimit)));
  if (!connection) return fail(connection);
  tunnel::v1::SshRequest request;
  request.set_node(node);
  const Result<SshResponse> response =
      run_blocking(loop, within(after(kAnswerLimit), exchange(connection->get(), std::move(request))));
  if (!response) return fail(response);
  if (response->outcome() != SshResponse::OUTCOME_OK) return tl::make_unexpected(refusal(context, node, *response));

  const Result<void> ended = pipe_bytes(std::move(*connection), STDIN_FILENO, STDOUT_FILENO);
  if (!ended) return fail(ended, "connection to " + node);
  return kExitOk;
}

}  // namespace

void add_proxy_verbs(CLI::App& app, Command& command) {
  CLI::App* proxy = add_verb(app, "proxy", "What OpenSSH runs to reach a node", "cairn proxy ssh web-1");
  proxy->require_subcommand(1);
  auto node = std::make_shared<std::string>();
  CLI::App* ssh = add_verb(*proxy, "ssh", "Join standard input and output with a node's SSH server (ProxyCommand)",
                           "ssh -o ProxyCommand='cairn proxy ssh %h' web-1\ncairn proxy ssh web-1.home");
  ssh->add_option("NODE", *node, "name, UUID, or NAME.CLUSTER")->required();
  ssh->callback([&command, node] { command.run = [&command, node] { return proxy_ssh(command.context, *node); }; });
}

}  // namespace cairn::cli
