#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/async.h"

namespace cairn {

// What the service manager is told (sd_notify(3)); silent where none listens. Taken out of the environment when it is
// made, so that programs started later do not speak in our name: make it before the first thread.
class ServiceManager {
 public:
  ServiceManager();

  void ready(std::string_view status) const;  // also after reloading
  void reloading() const;
  void stopping(std::string_view status) const;
  void say(std::string_view status) const;  // one line, shown by systemctl status

  // Tells it that the event loop turns, twice in each WatchdogSec, for as long as it does. Returns at once where nobody
  // wants to know.
  awaitable<void> feed_watchdog() const;

 private:
  void send(const std::string& state) const;

  std::string address_;                          // of its datagram socket; empty: none
  std::chrono::milliseconds watchdog_limit_{0};  // 0: none
};

}  // namespace cairn
