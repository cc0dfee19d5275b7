#include "tunnel/relay.h"

#include <vector>

namespace cairn::tunnel {
namespace {

awaitable<void> pump(Connection* from, Connection* to, std::function<void(size_t bytes)> count) {
  std::vector<char> buffer(kRelayBufferBytes);
  for (;;) {
    const Result<size_t> got = co_await from->read_some(asio::buffer(buffer));
    if (!got || *got == 0) break;
    const Result<void> written = co_await to->write_bytes(asio::buffer(buffer.data(), *got));
    if (!written) break;
    count(*got);
  }
  to->half_close();
}

}  // namespace

awaitable<void> relay(Connection* left, Connection* right, std::function<void(size_t bytes)> count) {
  using namespace asio::experimental::awaitable_operators;
  auto rightward = pump(left, right, count);
  auto leftward = pump(right, left, count);
  if (left->can_half_close() && right->can_half_close()) {
    co_await (std::move(rightward) && std::move(leftward));
  } else {
    co_await (std::move(rightward) || std::move(leftward));
  }
  auto left_ends = left->close_gracefully();
  auto right_ends = right->close_gracefully();
  co_await (std::move(left_ends) && std::move(right_ends));
}

}  // namespace cairn::tunnel
