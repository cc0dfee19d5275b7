#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "base/async.h"

namespace cairn::testing_support {

// Runs `work` on `loop` until it ends, and returns its value. Whatever else runs on the loop stands still afterwards,
// until the next call.
template <class T> T run_in_loop(asio::io_context& loop, awaitable<T> work) {
  std::optional<T> outcome;
  asio::co_spawn(loop, std::move(work), [&outcome](std::exception_ptr escaped, T result) {
    or_die()(escaped);
    outcome.emplace(std::move(result));
  });
  loop.restart();
  while (!outcome && loop.run_one() > 0) {
  }
  if (outcome) return std::move(*outcome);
  std::fputs("the event loop ran dry before the coroutine under test ended\n", stderr);
  std::abort();
}

}  // namespace cairn::testing_support
