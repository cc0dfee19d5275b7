// Pages are served to anybody: any bytes, in two pieces, then the end. Serving ends, and whatever is answered is HTTP.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "proxy/http_front.h"
#include "tunnel/stream.h"

namespace {

using namespace cairn;

void require(bool holds) {
  if (!holds) std::abort();
}

// What comes back for `bytes`.
std::string answer_to(std::string_view bytes) {
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  asio::io_context loop(1);
  proxy::Metrics metrics;
  const proxy::HttpFront front("testing", &metrics, [] { return true; });
  auto connection =
      std::make_unique<tunnel::Connection>(tunnel::UnixSocket(loop, asio::local::stream_protocol(), ends[1]));
  asio::co_spawn(loop, front.serve(std::move(connection)), or_die());
  const size_t half = bytes.size() / 2;
  for (const std::string_view piece : {bytes.substr(0, half), bytes.substr(half)}) {
    require(::send(ends[0], piece.data(), piece.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(piece.size()) ||
            errno == EPIPE);
    loop.poll();
  }
  ::shutdown(ends[0], SHUT_WR);
  loop.restart();
  loop.run();
  std::string answer(1 << 20, '\0');
  const ssize_t got = ::recv(ends[0], answer.data(), answer.size(), MSG_DONTWAIT);
  answer.resize(got > 0 ? static_cast<size_t>(got) : 0);
  ::close(ends[0]);
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  constexpr size_t kMostBytes = 32 * 1024;  // what a socket takes at once
  if (size > kMostBytes) return 0;
  const std::string answer = answer_to({reinterpret_cast<const char*>(input), size});
  require(answer.empty() || answer.starts_with("HTTP/1.1 "));
  return 0;
}
