#include "proxy/service.h"

#include <csignal>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/file.h"
#include "proxy/presence.h"

namespace cairn::proxy {

Service::Service(const asio::any_io_executor& executor, ProxyOptions options, ReadOptions read_options,
                 const Clock* clock, const ServiceManager* manager, Log log)
    : options_(std::move(options)),
      read_options_(std::move(read_options)),
      clock_(clock),
      manager_(manager),
      log_(std::move(log)),
      stop_(executor, SIGTERM, SIGINT),
      hangup_(executor, SIGHUP) {}

awaitable<Result<void>> Service::run() {
  using namespace asio::experimental::awaitable_operators;
  auto first = co_await (serve() || until_told_to_stop());
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  if (!door_) co_return Result<void>();
  auto ended = co_await (drain() || until_told_to_stop());
  log_.info("proxy.stopped", kv("was_hurried", ended.index() == 1));
  co_return Result<void>();
}

awaitable<Result<void>> Service::serve() {
  using namespace asio::experimental::awaitable_operators;
  if (Result<void> made = make_private_directory(options_.data_dir); !made) co_return fail(made, "data_dir");
  auto executor = co_await asio::this_coro::executor;
  Result<tunnel::Listener> listener = tunnel::Listener::open(executor, options_.listen);
  if (!listener) co_return fail(listener);
  membership_ = std::make_unique<Membership>(&options_, clock_, &log_);
  if (Result<void> begun = co_await membership_->begin(); !begun) co_return begun;
  auto door = std::make_shared<Door>(std::move(*listener), membership_->identity(), door_options(), log_);
  if (Result<void> presented = door->present(membership_->identity()); !presented) co_return presented;
  door_ = std::move(door);
  asio::co_spawn(executor, door_->serve(), or_die());
  const std::string& cluster = membership_->identity()->self.cluster;
  log_.info("proxy.ready", kv("address", door_->address()), kv("cluster", cluster), kv("version", CAIRN_VERSION));
  manager_->ready(fmt::format("serving cluster {} on {}", cluster, door_->address()));

  std::function<void(std::shared_ptr<const tunnel::Identity>)> changed =
      [this](std::shared_ptr<const tunnel::Identity> renewed) {
        if (Result<void> presented = door_->present(std::move(renewed)); !presented)
          log_.error("certificate.unusable", kv_error(presented.error()));
      };
  Presence presence(executor, &door_->agents(), [this] { return membership_->connect_to_auth(); }, log_);
  co_await (membership_->keep_valid(std::move(changed)) && presence.run() && watch_reload() &&
            manager_->feed_watchdog());
  co_return Result<void>();
}

awaitable<Result<void>> Service::until_told_to_stop() {
  auto [error, signal] = co_await stop_.async_wait(kAwait);
  if (error) co_return fail(error, "wait for a signal");
  co_return Result<void>();
}

awaitable<Result<void>> Service::drain() {
  manager_->stopping(fmt::format("waiting up to {} for sessions to end", format_duration(options_.drain_limit)));
  const size_t left = co_await door_->drain(options_.drain_limit);
  if (left > 0) log_.warn("sessions.cut", kv("sessions", left), kv("drain_limit_s", options_.drain_limit.count()));
  co_return Result<void>();
}

awaitable<void> Service::watch_reload() {
  for (;;) {
    auto [error, signal] = co_await hangup_.async_wait(kAwait);
    if (error) co_return;
    manager_->reloading();
    reload();
    manager_->ready(fmt::format("serving cluster {} on {}", membership_->identity()->self.cluster, door_->address()));
  }
}

void Service::reload() {
  Result<ProxyOptions> read = read_options_();
  if (!read) return log_.error("config.refused", kv_error(read.error()));
  // What a running proxy cannot change stays as it is.
  std::string unchanged;
  const auto keep = [&](std::string_view key, auto ProxyOptions::* option) {
    if ((*read).*option == options_.*option) return;
    unchanged += (unchanged.empty() ? "" : ", ") + std::string(key);
    (*read).*option = options_.*option;
  };
  keep("data_dir", &ProxyOptions::data_dir);
  keep("listen_address", &ProxyOptions::listen);
  keep("name", &ProxyOptions::name);
  if (!unchanged.empty()) log_.warn("config.needs_restart", kv("options", unchanged));
  options_ = std::move(*read);
  log_.set_level(options_.log_level);
  door_->reconfigure(door_options());
  log_.info("config.reloaded");
}

DoorOptions Service::door_options() const {
  return {.auth = options_.auth,
          .dial_lease = options_.dial_lease,
          .handshake_limit = options_.handshake_limit,
          .handshakes = {.at_once = options_.handshakes, .at_once_per_address = options_.handshakes_per_address},
          .balancers = options_.proxy_protocol_from};
}

}  // namespace cairn::proxy
