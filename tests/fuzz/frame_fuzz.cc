// Frames of hostile peers, as a proxy, an agent and auth read them: any bytes, then the end. Whatever comes, reading
// ends, with messages, an error or a clean close, and never takes more memory than the limit of the connection type.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <sys/socket.h>

#include <google/protobuf/stubs/logging.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>

#include "base/bytes.h"
#include "proto/auth.pb.h"
#include "proto/enroll.pb.h"
#include "proto/tunnel.pb.h"
#include "tunnel/stream.h"

namespace {

using namespace cairn;

constexpr size_t kLimitBytes = 4096;  // small, so that the limit is met

void require(bool holds) {
  if (!holds) std::abort();
}

// Reads until the end; returns how many bytes of messages there were.
template <class Message> awaitable<size_t> read_all(tunnel::Connection* peer) {
  size_t bytes = 0;
  for (;;) {
    const auto message = co_await peer->read<Message>(kLimitBytes);
    if (!message || !*message) co_return bytes;
    require((*message)->ByteSizeLong() <= 2 * kLimitBytes);
    bytes += (*message)->ByteSizeLong();
  }
}

template <class Message> void feed(std::string_view bytes) {
  static asio::io_context loop;
  loop.restart();
  tunnel::UnixSocket hostile(loop);
  tunnel::UnixSocket ours(loop);
  asio::local::connect_pair(hostile, ours);
  require(::send(hostile.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  hostile.close();
  tunnel::Connection peer(std::move(ours));
  bool has_ended = false;
  asio::co_spawn(loop, read_all<Message>(&peer), [&](std::exception_ptr escaped, size_t) {
    require(!escaped);
    has_ended = true;
  });
  loop.run();
  require(has_ended);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

// The first byte chooses the reader.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size == 0 || size > 32 * 1024) return 0;  // what a socket pair holds without a reader
  const std::string_view bytes(reinterpret_cast<const char*>(input) + 1, size - 1);
  switch (input[0] % 4) {
    case 0: feed<tunnel::v1::FromAgent>(bytes); break;
    case 1: feed<tunnel::v1::FromProxy>(bytes); break;
    case 2: feed<enroll::v1::EnrollRequest>(bytes); break;
    default: feed<auth::v1::Request>(bytes); break;
  }
  return 0;
}
