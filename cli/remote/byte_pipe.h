#pragma once

#include <array>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "base/async.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/work_pool.h"
#include "tunnel/stream.h"

namespace cairn::cli {

// Joins two descriptors of any kind (pipe, terminal, file, socket) with a connection, raw bytes both ways. Blocking
// reads and writes run on threads of their own, since epoll refuses regular files and making standard input
// non-blocking would change it for everyone who shares it (open(2): the flag belongs to the open file description).
class BytePipe {
 public:
  // Borrows `in` and `out`.
  static Result<std::unique_ptr<BytePipe>> open(asio::io_context& loop, std::unique_ptr<tunnel::Connection> connection,
                                                int in, int out);

  // Runs `loop` until the far end has finished and all it sent is written, or whoever reads `out` has gone. The end of
  // `in` is passed on, and the far end may go on for as long as it likes. SIGPIPE must be ignored.
  Result<void> run();

 private:
  static constexpr size_t kBlockBytes = 64 << 10;  // what a Linux pipe holds (pipe(7))
  using Block = std::array<char, kBlockBytes>;

  BytePipe(asio::io_context& loop, std::unique_ptr<tunnel::Connection> connection, int in, int out, UniqueFd stop);
  awaitable<Result<void>> send();
  awaitable<Result<void>> receive();
  Result<size_t> read_input();
  void stop_sending();

  asio::io_context* loop_;
  std::unique_ptr<tunnel::Connection> connection_;
  int in_;
  int out_;
  UniqueFd stop_;  // eventfd: ends a read that waits for input nobody will want
  std::unique_ptr<Block> outgoing_ = std::make_unique<Block>();
  std::unique_ptr<Block> incoming_ = std::make_unique<Block>();
  WorkPool threads_{2};  // last: its threads use all of the above
};

}  // namespace cairn::cli
