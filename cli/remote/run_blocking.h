#pragma once

#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "base/async.h"

namespace cairn::cli {

// Runs `work` on `loop` until it ends. `work` must end by itself (a deadline); what else runs on the loop stays where
// it then stands.
template <class T> Result<T> run_blocking(asio::io_context& loop, awaitable<Result<T>> work) {
  std::optional<Result<T>> outcome;
  asio::co_spawn(loop, std::move(work), [&outcome](std::exception_ptr escaped, Result<T> result) {
    or_die()(escaped);
    outcome = std::move(result);
  });
  loop.restart();
  while (!outcome && loop.run_one() > 0) {
  }
  if (!outcome) return fail(Errc::kInternal, "the event loop ran dry before the answer");
  return std::move(*outcome);
}

}  // namespace cairn::cli
