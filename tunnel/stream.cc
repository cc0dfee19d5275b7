#include "tunnel/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <vector>

#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "base/bytes.h"
#include "tunnel/networks.h"

namespace cairn::tunnel {
namespace {

constexpr std::chrono::milliseconds kGoodbyeLimit{2000};
constexpr size_t kGoodbyeBytes = 1 << 20;  // of a peer that talks on; then we hang up

bool has_peer_gone(const boost::system::error_code& error) {
  return error == asio::error::eof || error == asio::error::connection_reset || error == asio::error::broken_pipe;
}

// Reads away what still comes, until the peer has finished.
awaitable<Result<void>> drain(Connection* connection) {
  std::vector<char> block(4096);
  for (size_t drained = 0; drained < kGoodbyeBytes;) {
    const Result<size_t> got = co_await connection->read_some(asio::buffer(block));
    if (!got || *got == 0) break;
    drained += *got;
  }
  co_return Result<void>();
}

awaitable<Result<void>> say_goodbye(Connection* connection) {
  const Result<void> finished = co_await connection->finish_writing();
  if (!finished) co_return fail(finished);
  co_return co_await drain(connection);
}

std::string text_of(const Socket::endpoint_type& end) {
  const sockaddr* raw = end.data();
  asio::ip::tcp::endpoint endpoint;
  if ((raw->sa_family != AF_INET && raw->sa_family != AF_INET6) || end.size() > endpoint.capacity()) return "unix";
  std::memcpy(endpoint.data(), raw, end.size());
  endpoint.resize(end.size());
  return endpoint_text(endpoint.address(), endpoint.port());
}

}  // namespace

std::string remote_address_of(const Socket& socket) {
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  return error ? "unknown" : text_of(remote);
}

void tune(Socket& socket) {
  struct Option {
    int level;
    int name;
    int value;
  };
  constexpr Option kOptions[] = {
      {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, 6},                                            // seconds
      {IPPROTO_TCP, TCP_KEEPINTVL, 3},                                           // seconds
      {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 15'000},  // milliseconds
  };
  // A unix socket knows none of them, and a connection works without: no failure.
  for (const Option& option : kOptions)
    ::setsockopt(socket.native_handle(), option.level, option.name, &option.value, sizeof option.value);
}

Connection::Connection(TlsStream stream, Peer peer, Alpn alpn)
    : stream_(std::move(stream)), peer_(std::move(peer)), alpn_(alpn) {}

Socket& Connection::socket() {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) return tls->socket();
  return std::get<Socket>(stream_);
}

const Socket& Connection::socket() const {
  if (const auto* tls = std::get_if<TlsStream>(&stream_)) return tls->socket();
  return std::get<Socket>(stream_);
}

std::string Connection::remote_address() const { return source_.empty() ? far_end() : source_; }

std::string Connection::far_end() const { return remote_address_of(socket()); }

std::string Connection::local_end() const {
  boost::system::error_code error;
  const auto local = socket().local_endpoint(error);
  return error ? "unknown" : text_of(local);
}

awaitable<Result<std::optional<std::string>>> Connection::read_frame(size_t limit_bytes) {
  std::array<unsigned char, 4> prefix{};
  size_t filled = 0;
  while (filled < prefix.size()) {
    const Result<size_t> got = co_await read_some(asio::buffer(prefix) + filled);
    if (!got) co_return fail(got, "frame length");
    if (*got == 0 && filled == 0) co_return std::optional<std::string>();
    if (*got == 0) co_return fail(Errc::kTruncated, fmt::format("frame length: {} of 4 bytes, then the end", filled));
    filled += *got;
  }
  const uint32_t body_bytes = read_be32(prefix.data());
  if (body_bytes > limit_bytes)
    co_return fail(Errc::kTooLarge, fmt::format("frame of {} bytes, limit {}", body_bytes, limit_bytes));
  std::string body(body_bytes, '\0');
  filled = 0;
  while (filled < body.size()) {
    const Result<size_t> got = co_await read_some(asio::buffer(body) + filled);
    if (!got) co_return fail(got, "frame");
    if (*got == 0)
      co_return fail(Errc::kTruncated, fmt::format("frame: {} of {} bytes, then the end", filled, body_bytes));
    filled += *got;
  }
  co_return std::optional<std::string>(std::move(body));
}

awaitable<Result<void>> Connection::write(const google::protobuf::MessageLite& message) {
  return write_frame(message.SerializeAsString());
}

awaitable<Result<void>> Connection::write_frame(std::string body) {
  std::string frame(4, '\0');
  write_be32(frame.data(), static_cast<uint32_t>(body.size()));
  frame += body;
  Result<void> written = co_await write_bytes(asio::buffer(frame));
  co_return written;
}

awaitable<Result<void>> Connection::wait_readable() {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) co_return co_await tls->wait_readable();
  auto& bare = std::get<Socket>(stream_);
  if (is_readable(bare.native_handle())) co_return Result<void>();
  auto [error] = co_await bare.async_wait(Socket::wait_read, kAwait);
  if (error) co_return fail(Errc::kClosed, "the connection was closed here");
  co_return Result<void>();
}

awaitable<Result<size_t>> Connection::read_some(asio::mutable_buffer into) {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) co_return co_await tls->read_some(into);
  auto [error, got] = co_await std::get<Socket>(stream_).async_read_some(into, kAwait);
  if (has_peer_gone(error)) co_return size_t{0};
  if (error) co_return fail(std::error_code(error), fmt::format("read: {}", error.message()));
  co_return got;
}

awaitable<Result<void>> Connection::write_bytes(asio::const_buffer bytes) {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) co_return co_await tls->write(bytes);
  auto [error, written] = co_await asio::async_write(std::get<Socket>(stream_), bytes, kAwait);
  if (has_peer_gone(error)) co_return fail(Errc::kClosed, "write: the other side closed the connection");
  if (error) co_return fail(std::error_code(error), fmt::format("write: {}", error.message()));
  co_return Result<void>();
}

awaitable<Result<void>> Connection::finish_writing() {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) co_return co_await tls->finish_writing();
  boost::system::error_code ignored;  // the peer may be gone already
  std::get<Socket>(stream_).shutdown(asio::socket_base::shutdown_send, ignored);
  co_return Result<void>();
}

awaitable<void> Connection::close_gracefully() {
  auto goodbye = say_goodbye(this);
  static_cast<void>(co_await within(after(kGoodbyeLimit), std::move(goodbye)));  // either way it is over
  close();
}

void Connection::close() {
  boost::system::error_code ignored;
  socket().close(ignored);
}

int Connection::native_handle() { return socket().native_handle(); }

}  // namespace cairn::tunnel
