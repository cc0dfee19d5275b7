#include "tunnel/stream.h"

#include <array>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::tunnel {
namespace {

constexpr std::chrono::milliseconds kGoodbyeLimit{2000};

bool is_end(const boost::system::error_code& error) {
  return error == asio::error::eof || error == asio::ssl::error::stream_truncated ||
         error == asio::error::connection_reset;
}

awaitable<Result<bool>> say_goodbye(TlsStream* stream) {
  auto [error] = co_await stream->async_shutdown(kAwait);
  co_return !error;
}

}  // namespace

Connection::Connection(TlsStream stream, TlsContext context, Peer peer, Alpn alpn)
    : context_(std::move(context)), stream_(std::move(stream)), peer_(std::move(peer)), alpn_(alpn) {}

Failure Connection::failed(const boost::system::error_code& error, std::string_view what) {
  if (is_end(error)) return fail(Errc::kClosed, fmt::format("{}: the other side closed the connection", what));
  if (auto* tls = std::get_if<TlsStream>(&stream_)) {
    const std::string sentence = tls_sentence(error, tls->native_handle());
    const bool is_refusal = sentence.find("certificate") != std::string::npos;
    return is_refusal ? fail(Errc::kUnauthenticated, fmt::format("{}: {}", what, sentence))
                      : fail(std::error_code(error), fmt::format("{}: {}", what, sentence));
  }
  return fail(std::error_code(error), fmt::format("{}: {}", what, error.message()));
}

std::string Connection::remote_address() const {
  boost::system::error_code error;
  asio::ip::tcp::endpoint remote;
  if (const auto* tls = std::get_if<TlsStream>(&stream_)) {
    remote = tls->lowest_layer().remote_endpoint(error);
  } else if (const auto* tcp = std::get_if<asio::ip::tcp::socket>(&stream_)) {
    remote = tcp->remote_endpoint(error);
  } else {
    return "unix";
  }
  if (error) return "unknown";
  return remote.address().is_v6() ? fmt::format("[{}]:{}", remote.address().to_string(), remote.port())
                                  : fmt::format("{}:{}", remote.address().to_string(), remote.port());
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

awaitable<Result<size_t>> Connection::read_some(asio::mutable_buffer into) {
  boost::system::error_code error;
  size_t got = 0;
  if (auto* tls = std::get_if<TlsStream>(&stream_)) {
    std::tie(error, got) = co_await tls->async_read_some(into, kAwait);
  } else if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&stream_)) {
    std::tie(error, got) = co_await tcp->async_read_some(into, kAwait);
  } else if (auto* local = std::get_if<UnixSocket>(&stream_)) {
    std::tie(error, got) = co_await local->async_read_some(into, kAwait);
  }
  if (is_end(error)) co_return size_t{0};
  if (error) co_return failed(error, "read");
  co_return got;
}

awaitable<Result<void>> Connection::write_bytes(asio::const_buffer bytes) {
  boost::system::error_code error;
  size_t written = 0;
  if (auto* tls = std::get_if<TlsStream>(&stream_)) {
    std::tie(error, written) = co_await asio::async_write(*tls, bytes, kAwait);
  } else if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&stream_)) {
    std::tie(error, written) = co_await asio::async_write(*tcp, bytes, kAwait);
  } else if (auto* local = std::get_if<UnixSocket>(&stream_)) {
    std::tie(error, written) = co_await asio::async_write(*local, bytes, kAwait);
  }
  if (error) co_return failed(error, "write");
  co_return Result<void>();
}

void Connection::half_close() {
  boost::system::error_code ignored;  // the peer may be gone already
  if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&stream_))
    tcp->shutdown(asio::socket_base::shutdown_send, ignored);
  if (auto* local = std::get_if<UnixSocket>(&stream_)) local->shutdown(asio::socket_base::shutdown_send, ignored);
}

awaitable<void> Connection::close_gracefully() {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) {
    auto goodbye = say_goodbye(tls);
    std::ignore = co_await within(after(kGoodbyeLimit), std::move(goodbye));  // a peer that is gone needs none
  }
  close();
}

void Connection::close() {
  boost::system::error_code ignored;
  if (auto* tls = std::get_if<TlsStream>(&stream_)) tls->lowest_layer().close(ignored);
  if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&stream_)) tcp->close(ignored);
  if (auto* local = std::get_if<UnixSocket>(&stream_)) local->close(ignored);
}

int Connection::native_handle() {
  if (auto* tls = std::get_if<TlsStream>(&stream_)) return tls->lowest_layer().native_handle();
  if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&stream_)) return tcp->native_handle();
  return std::get<UnixSocket>(stream_).native_handle();
}

}  // namespace cairn::tunnel
