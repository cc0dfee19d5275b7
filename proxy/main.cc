// cairn-proxy: reads its options, joins its cluster, opens the door.
#include <csignal>
#include <cstdio>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include "base/file.h"
#include "proxy/door.h"
#include "proxy/membership.h"
#include "proxy/proxy_options.h"

namespace cairn::proxy {
namespace {

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

awaitable<Result<void>> run(const ProxyOptions* options, const Clock* clock, const Log* log) {
  if (Result<void> made = make_private_directory(options->data_dir); !made) co_return fail(made, "data_dir");
  auto executor = co_await asio::this_coro::executor;
  Result<tunnel::Listener> listener = tunnel::Listener::open(executor, options->listen);
  if (!listener) co_return fail(listener);
  Membership membership(options, clock, log);
  if (Result<void> begun = co_await membership.begin(); !begun) co_return begun;
  const auto door = std::make_shared<Door>(std::move(*listener), membership.identity(),
                                           DoorOptions{.auth = options->auth, .dial_lease = options->dial_lease}, *log);
  if (Result<void> presented = door->present(membership.identity()); !presented) co_return presented;
  std::function<void(std::shared_ptr<const tunnel::Identity>)> changed =
      [door, log](std::shared_ptr<const tunnel::Identity> renewed) {
        if (Result<void> presented = door->present(std::move(renewed)); !presented)
          log->error("certificate.unusable", kv_error(presented.error()));
      };
  asio::co_spawn(executor, door->serve(), or_die());
  log->info("proxy.ready", kv("address", door->address()), kv("cluster", membership.identity()->self.cluster),
            kv("version", CAIRN_VERSION));
  co_await membership.keep_valid(std::move(changed));
  co_return Result<void>();
}

int serve(const ProxyOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads any more must not end us
  const Log log("cairn-proxy", options.log_level);
  const SystemClock clock;
  asio::io_context io(1);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&io](boost::system::error_code, int) { io.stop(); });
  int status = 0;
  asio::co_spawn(io, run(&options, &clock, &log), [&](std::exception_ptr escaped, Result<void> ended) {
    or_die()(escaped);
    if (!ended) {
      std::fputs(fmt::format("cairn-proxy: {}\n", ended.error().message).c_str(), stderr);
      status = kExitError;
    }
    io.stop();
  });
  io.run();
  return status;
}

}  // namespace
}  // namespace cairn::proxy

int main(int argc, char** argv) {
  using namespace cairn::proxy;
  google::protobuf::SetLogHandler(nullptr);  // hostile frames are answered with our own sentences
  const cairn::Result<ProxyCommand> command = parse_proxy_command(argc, argv);
  if (!command) {
    std::fputs(fmt::format("cairn-proxy: {}\n", command.error().message).c_str(), stderr);
    return kExitUsage;
  }
  if (command->kind == ProxyCommand::Kind::kServe) return serve(command->options);
  std::fputs(command->text.c_str(), stdout);
  return 0;
}
