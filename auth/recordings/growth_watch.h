#pragma once

#include <map>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/async.h"

namespace cairn::auth {

// Tells those who follow a live recording that more of it has arrived. Thread: the event loop's.
class GrowthWatch {
 public:
  // Watches one session from its making on. Make it, then look at the recording, then wait: what arrives between the
  // look and the wait is not missed.
  class Waiter {
   public:
    Waiter(GrowthWatch* watch, const asio::any_io_executor& executor, const std::string& session_id);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    // Returns when the recording has grown since the last wait, at `deadline`, or when the coroutine is cancelled.
    awaitable<void> wait(Deadline deadline);

   private:
    friend class GrowthWatch;
    GrowthWatch* watch_;
    asio::steady_timer timer_;
    bool has_grown_ = false;
    std::multimap<std::string, Waiter*>::iterator place_;
  };

  void grown(const std::string& session_id);

 private:
  std::multimap<std::string, Waiter*> waiters_;
};

}  // namespace cairn::auth
