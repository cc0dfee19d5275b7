#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/service_manager.h"
#include "proxy/door.h"
#include "proxy/membership.h"
#include "proxy/proxy_options.h"

namespace cairn::proxy {

// cairn-proxy as a service: joins its cluster, opens the door, obeys signals. Thread: its executor.
class Service {
 public:
  // The options as the file and the command line say them now.
  using ReadOptions = std::function<Result<ProxyOptions>()>;

  // All that is pointed to outlives it.
  Service(const asio::any_io_executor& executor, ProxyOptions options, ReadOptions read_options, const Clock* clock,
          const ServiceManager* manager, Log log);

  // Until SIGTERM or SIGINT, then until the last session has ended (at most drain_limit; a second signal ends them). On
  // SIGHUP the options are read again.
  //   fails  with what keeps it from serving: the data directory, the address, joining
  awaitable<Result<void>> run();

 private:
  awaitable<Result<void>> serve();
  awaitable<Result<void>> until_told_to_stop();
  awaitable<Result<void>> drain();
  awaitable<void> watch_reload();
  void reload();
  DoorOptions door_options() const;

  ProxyOptions options_;
  ReadOptions read_options_;
  const Clock* clock_;
  const ServiceManager* manager_;
  Log log_;
  asio::signal_set stop_;
  asio::signal_set hangup_;
  std::unique_ptr<Membership> membership_;
  std::shared_ptr<Door> door_;  // with the coroutines of its connections
};

}  // namespace cairn::proxy
