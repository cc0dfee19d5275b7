// cairn-proxy: reads its options and serves.
#include <csignal>
#include <cstdio>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include "proxy/proxy_options.h"
#include "proxy/service.h"

namespace cairn::proxy {
namespace {

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

int serve(const ProxyOptions& options, Service::ReadOptions read_options) {
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads any more must not end us
  const ServiceManager manager;
  const Log log("cairn-proxy", options.log_level);
  const SystemClock clock;
  asio::io_context io(1);
  Service service(io.get_executor(), options, std::move(read_options), &clock, &manager, log);
  int status = 0;
  asio::co_spawn(io, service.run(), [&](std::exception_ptr escaped, Result<void> ended) {
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
  if (command->kind == ProxyCommand::Kind::kServe) {
    return serve(command->options, [argc, argv]() -> cairn::Result<ProxyOptions> {
      cairn::Result<ProxyCommand> again = parse_proxy_command(argc, argv);
      if (!again) return cairn::fail(again);
      return std::move(again->options);
    });
  }
  std::fputs(command->text.c_str(), stdout);
  return 0;
}
