#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/async.h"

namespace cairn {

// Threads for what blocks (disk, PAM, SQL), so that an event loop never does. Its destructor waits for the work that
// has begun; declare it after the io_context whose coroutines use it, so that it goes first.
class WorkPool {
 public:
  explicit WorkPool(size_t threads) : threads_(threads) {}
  ~WorkPool() { threads_.join(); }
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // What `work()` returns, computed on a thread of the pool; the caller goes on on its own executor. Not cancellable:
  // work that has been handed over is waited for.
  //   work  called once; what it refers to must outlive the wait, which the awaiting coroutine's own locals do
  template <class F> awaitable<std::invoke_result_t<F&>> run(F work) {
    using T = std::invoke_result_t<F&>;
    auto start = [this](auto handler, F job) {
      auto home = asio::prefer(asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
      asio::post(threads_, [home, handler = std::move(handler), job = std::move(job)]() mutable {
        T result = job();
        asio::post(home, [handler = std::move(handler), result = std::move(result)]() mutable {
          std::move(handler)(std::move(result));
        });
      });
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(std::move(start), asio::use_awaitable,
                                                                        std::move(work));
  }

 private:
  asio::thread_pool threads_;
};

}  // namespace cairn
