#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "agent/supervisor/control_connection.h"
#include "base/async.h"
#include "base/log.h"
#include "tunnel/connect.h"

namespace cairn::agent {

// A control connection to each proxy of the cluster: a client may come through any. Ends them when it goes, and must go
// before its executor's loop does. Thread: its executor.
class ControlConnections {
 public:
  // What the connections call is told which proxy it is about.
  struct Calls {
    ControlConnection::WhoAmI who_am_i;
    std::function<awaitable<Result<void>>(tunnel::v1::Dial, tunnel::Address)> on_dial;
    std::function<void(tunnel::Address)> on_up;
  };

  ControlConnections(const asio::any_io_executor& executor, Calls calls, ControlTimes times, Log log);
  ~ControlConnections();
  ControlConnections(const ControlConnections&) = delete;
  ControlConnections& operator=(const ControlConnections&) = delete;

  // From now on to these: new ones are connected to, those that are not among them let go.
  void set(const std::vector<tunnel::Address>& proxies);
  // Lets go of all.
  void close() { set({}); }

  struct State {
    std::string proxy;
    bool is_up = false;
    std::string error;  // why it is not, when that is known
  };
  std::vector<State> states() const;

 private:
  struct Held {
    std::unique_ptr<ControlConnection> connection;
    asio::cancellation_signal cancel;
    bool is_cancelled = false;
  };
  void start(const tunnel::Address& proxy);

  asio::any_io_executor executor_;
  Calls calls_;
  ControlTimes times_;
  Log log_;
  std::map<std::string, std::shared_ptr<Held>> held_;  // by address; shared with the coroutine that runs it
};

}  // namespace cairn::agent
