#include "agent/supervisor/agent_program.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include "agent/supervisor/agent_options.h"
#include "agent/supervisor/supervisor.h"
#include "base/clock.h"
#include "base/data_lock.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

constexpr const char* kIntroduction =
    "cairn-agent - recorded SSH sessions on this host, without a port of its own\n\n"
    "  cairn-agent --proxy-address proxy.example.com --token SECRET --ca-pin sha256:PIN   join a cluster and serve\n"
    "  cairn-agent                                                                        serve, as the file says\n"
    "  cairn-agent status                                                                 how the running agent is\n"
    "  cairn-agent doctor                                                                 what this host can "
    "capture\n\n";

int say(int status, const Error& error) {
  fmt::print(stderr, "cairn-agent: {}\n", error.message);
  return status;
}

Result<AgentOptions> read_again(int argc, const char* const* argv) {
  AgentOptions options;
  Options table;
  options.declare(table);
  if (Result<void> parsed = table.parse(argc, argv, kDefaultConfig); !parsed) return fail(parsed);
  if (Result<void> checked = options.check(); !checked) return fail(checked);
  return options;
}

// Reads the options. An exit status instead when there is nothing more to do.
std::optional<int> read_options(AgentOptions& options, int argc, const char* const* argv) {
  Options table;
  options.declare(table);
  const Result<void> parsed = table.parse(argc, argv, kDefaultConfig);
  if (!parsed) return say(2, parsed.error());
  if (table.help_wanted()) {
    fmt::print("{}{}", kIntroduction, table.help());
    return 0;
  }
  if (table.version_wanted()) {
    fmt::print("cairn-agent {}\n", CAIRN_VERSION);
    return 0;
  }
  if (const Result<void> checked = options.check(); !checked) return say(2, checked.error());
  return std::nullopt;
}

Result<void> supervise(AgentOptions options, Supervisor::ReadOptions read_options) {
  if (::geteuid() != 0) {
    return fail(Errc::kDenied,
                "must be started as root: it becomes the people who log in, and loads programs into the kernel");
  }
  // A log that nobody reads any more must not end us.
  std::signal(SIGPIPE, SIG_IGN);
  if (Result<void> made = make_private_directory(options.data_dir); !made) return fail(made);
  if (Result<void> made = make_private_directory(options.data_dir / "spool"); !made) return fail(made);
  const Result<DataLock> lock = DataLock::take(options.data_dir, "cairn-agent");
  if (!lock) return fail(lock);

  const ServiceManager manager;
  const SystemClock clock;
  asio::io_context loop(1);
  const Log log("cairn-agent", options.level);
  Supervisor supervisor(loop.get_executor(), std::move(options), std::move(read_options), &clock, &manager, log);
  std::optional<Result<void>> outcome;
  asio::co_spawn(loop, supervisor.run(), [&outcome](std::exception_ptr escaped, Result<void> ended) {
    or_die()(escaped);
    outcome = std::move(ended);
  });
  // The last of it to end is the supervisor's own coroutine; what then remains on the loop has nobody left to serve.
  while (!outcome && loop.run_one() > 0) {
  }
  if (!outcome) return fail(Errc::kInternal, "the event loop ran dry");
  return std::move(*outcome);
}

}  // namespace

int run_agent(int argc, const char* const* argv) {
  AgentOptions options;
  if (const std::optional<int> status = read_options(options, argc, argv)) return *status;
  const Result<void> ended = supervise(std::move(options), [argc, argv] { return read_again(argc, argv); });
  return ended ? 0 : say(1, ended.error());
}

}  // namespace cairn::agent
