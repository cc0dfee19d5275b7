#include "agent/supervisor/status_socket.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "agent/supervisor/agent_options.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "tunnel/stream.h"

namespace cairn::agent {
namespace {

using Local = asio::local::stream_protocol;

constexpr std::chrono::seconds kAnswerLimit{12};  // the agent asks auth first
constexpr std::chrono::seconds kWriteLimit{5};

awaitable<Result<std::optional<v1::AgentStatus>>> read_status(tunnel::Connection* connection) {
  co_return co_await connection->read<v1::AgentStatus>(tunnel::kMaxControlFrameBytes);
}

void row(std::string_view name, std::string_view value) { fmt::print("{:<15}{}\n", name, value); }

void print_for_people(const v1::AgentStatus& status) {
  row("agent", status.version());
  row("node", fmt::format("{} ({})", status.name(), status.node()));
  row("cluster", status.cluster());
  row("certificate", fmt::format("expires {}", format_utc(status.certificate_expires_wall_s())));
  row("auth", status.is_heard() ? "hears the agent" : "DOES NOT hear the agent; sessions cannot begin");
  for (const v1::AgentStatus::Proxy& proxy : status.proxies()) {
    row("proxy", proxy.is_up() ? fmt::format("{} connected", proxy.address())
                               : fmt::format("{} NOT CONNECTED: {}", proxy.address(), quoted_if_needed(proxy.error())));
  }
  row("capture", status.capture_tier().empty() ? "NONE" : "tier " + status.capture_tier());
  if (!status.capture_error().empty()) row("capture error", quoted_if_needed(status.capture_error()));
  row("sessions", fmt::format("{} of {}", status.live_sessions(), status.max_sessions()));
  row("spool", fmt::format("{} bytes that auth does not have yet", status.spool_bytes()));
}

bool is_well(const v1::AgentStatus& status) {
  bool is_connected = true;
  for (const v1::AgentStatus::Proxy& proxy : status.proxies()) is_connected = is_connected && proxy.is_up();
  return is_connected && status.is_heard() && status.capture_error().empty();
}

int complain(int status, const Error& error) {
  fmt::print(stderr, "cairn-agent: {}\n", error.message);
  return status;
}

int print_status(const std::filesystem::path& socket, bool is_json) {
  asio::io_context loop(1);
  Result<v1::AgentStatus> status = fail(Errc::kInternal, "no answer");
  asio::co_spawn(loop, ask_status(socket), [&status](std::exception_ptr escaped, Result<v1::AgentStatus> answer) {
    or_die()(escaped);
    status = std::move(answer);
  });
  loop.run();
  if (!status) return complain(3, status.error());
  if (is_json) {
    std::string text;
    google::protobuf::util::JsonPrintOptions options;
    options.always_print_primitive_fields = true;
    options.preserve_proto_field_names = true;
    static_cast<void>(google::protobuf::util::MessageToJsonString(*status, &text, options));
    fmt::print("{}\n", text);
  } else {
    print_for_people(*status);
  }
  return is_well(*status) ? 0 : 1;
}

}  // namespace

awaitable<Result<void>> serve_status(std::filesystem::path path, std::function<awaitable<v1::AgentStatus>()> describe) {
  auto executor = co_await asio::this_coro::executor;
  std::error_code ignored;
  std::filesystem::remove(path, ignored);  // of an agent that was killed; the data directory's lock says that none runs
  Local::acceptor acceptor(executor);
  boost::system::error_code error;
  acceptor.open(Local(), error);
  // The data directory is root's alone, so between these two nobody else comes.
  if (!error) acceptor.bind(Local::endpoint(path.string()), error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) co_return fail(std::error_code(error), fmt::format("listen on {}: {}", path.string(), error.message()));
  ::chmod(path.c_str(), S_IRUSR | S_IWUSR);
  for (;;) {
    Local::socket socket(executor);
    auto [accept_error] = co_await acceptor.async_accept(socket, kAwait);
    if (accept_error == asio::error::operation_aborted) co_return Result<void>();
    if (accept_error) {
      co_await sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    tunnel::Connection connection(std::move(socket));
    auto writing = connection.write(co_await describe());
    static_cast<void>(co_await within(after(kWriteLimit), std::move(writing)));
  }
}

awaitable<Result<v1::AgentStatus>> ask_status(std::filesystem::path path) {
  Local::socket socket(co_await asio::this_coro::executor);
  auto [error] = co_await socket.async_connect(Local::endpoint(path.string()), kAwait);
  if (error)
    co_return fail(Errc::kUnavailable, fmt::format("no agent answers at {}: {}", path.string(), error.message()));
  tunnel::Connection connection(std::move(socket));
  auto reading = read_status(&connection);
  Result<std::optional<v1::AgentStatus>> read = co_await within(after(kAnswerLimit), std::move(reading));
  if (!read) co_return fail(read, path.string());
  std::optional<v1::AgentStatus>& status = *read;
  if (!status) co_return fail(Errc::kUnavailable, fmt::format("{}: closed without an answer", path.string()));
  co_return std::move(*status);
}

int run_status(int argc, const char* const* argv) {
  AgentOptions options;
  Options table;
  options.declare(table);
  std::vector<const char*> flags{argv[0]};
  bool is_json = false;
  for (int i = 2; i < argc; i++) {
    is_json = is_json || std::strcmp(argv[i], "--json") == 0;
    if (std::strcmp(argv[i], "--json") != 0) flags.push_back(argv[i]);
  }
  const Result<void> parsed = table.parse(static_cast<int>(flags.size()), flags.data(), kDefaultConfig);
  if (!parsed) return complain(2, parsed.error());
  if (table.help_wanted()) {
    fmt::print(
        "cairn-agent status - how the agent of this host is\n\n"
        "Usage: cairn-agent status [--json] [--data-dir DIRECTORY]\n\n"
        "Exit status: 0 all is well, 1 a proxy, auth or a class of kernel events is missing, 3 no agent runs.\n");
    return 0;
  }
  return print_status(std::filesystem::absolute(options.data_dir) / kStatusSocket, is_json);
}

}  // namespace cairn::agent
