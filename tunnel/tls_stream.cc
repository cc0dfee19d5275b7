#include "tunnel/tls_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>

#include "tunnel/tls_refusal.h"

namespace cairn::tunnel {

// What OpenSSL reads from and writes to. It stays where it is while the stream moves: the BIO points to it.
struct TlsStream::Wire {
  int fd = -1;  // borrowed from the stream's socket
  std::string first_bytes;
  size_t first_used = 0;
  bool has_ended = false;  // the peer's FIN was read
  int errno_value = 0;     // of the failed system call
  std::string refusal;     // why we refused the peer's certificate
};

namespace {

constexpr int kTurnsAtOnce = 32;  // of at most 16 KiB

// A BIO of our own, since OpenSSL's for sockets uses write(2), which raises SIGPIPE when the peer has gone.
template <class Wire> Wire* wire_of(BIO* bio) { return static_cast<Wire*>(BIO_get_data(bio)); }

template <class Wire> int bio_read(BIO* bio, char* into, int size) {
  auto* wire = wire_of<Wire>(bio);
  BIO_clear_retry_flags(bio);
  if (wire->first_used < wire->first_bytes.size()) {
    const size_t taken = std::min(static_cast<size_t>(size), wire->first_bytes.size() - wire->first_used);
    std::copy_n(wire->first_bytes.data() + wire->first_used, taken, into);
    wire->first_used += taken;
    if (wire->first_used == wire->first_bytes.size()) {
      wire->first_bytes = {};
      wire->first_used = 0;
    }
    return static_cast<int>(taken);
  }
  ssize_t got = 0;
  do {
    got = ::recv(wire->fd, into, static_cast<size_t>(size), 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return static_cast<int>(got);
  if (got == 0) {
    wire->has_ended = true;
    return 0;
  }
  if (errno == EAGAIN) {
    BIO_set_retry_read(bio);
  } else {
    wire->errno_value = errno;
  }
  return -1;
}

template <class Wire> int bio_write(BIO* bio, const char* bytes, int size) {
  auto* wire = wire_of<Wire>(bio);
  BIO_clear_retry_flags(bio);
  ssize_t sent = 0;
  do {
    sent = ::send(wire->fd, bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<int>(sent);
  if (errno == EAGAIN) {
    BIO_set_retry_write(bio);
  } else {
    wire->errno_value = errno;
  }
  return -1;
}

template <class Wire> long bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return wire_of<Wire>(bio)->has_ended ? 1 : 0;
  return 0;
}

template <class Wire> BIO* make_bio(Wire* wire) {
  struct Method {
    std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>> method;
    Method() : method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cairn socket")) {
      BIO_meth_set_read(method.get(), bio_read<Wire>);
      BIO_meth_set_write(method.get(), bio_write<Wire>);
      BIO_meth_set_ctrl(method.get(), bio_control<Wire>);
    }
  };
  static const Method shared;
  BIO* bio = BIO_new(shared.method.get());
  BIO_set_data(bio, wire);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace

bool is_readable(int fd) {
  pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) == 1;
}

TlsStream::TlsStream(Socket socket, TlsContext context, TlsSide side, std::string first_bytes)
    : socket_(std::move(socket)),
      context_(std::move(context)),
      wire_(std::make_unique<Wire>()),
      ssl_(SSL_new(context_->native_handle())) {
  boost::system::error_code ignored;  // on failure the first read or write says more
  socket_.native_non_blocking(true, ignored);
  wire_->fd = socket_.native_handle();
  wire_->first_bytes = std::move(first_bytes);
  BIO* bio = make_bio(wire_.get());
  SSL_set_bio(ssl_.get(), bio, bio);
  keep_refusal_in(ssl_.get(), &wire_->refusal);
  if (side == TlsSide::kServer) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&&) noexcept = default;
TlsStream::~TlsStream() = default;

void TlsStream::name_other_side(std::string name) { other_side_ = std::move(name); }

TlsStream::Step TlsStream::step_after(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE: return Step::kDone;
    case SSL_ERROR_WANT_READ: return Step::kNeedsInput;
    case SSL_ERROR_WANT_WRITE: return Step::kNeedsOutput;
    case SSL_ERROR_ZERO_RETURN: return Step::kPeerFinished;
    default: return Step::kFailed;
  }
}

awaitable<Result<void>> TlsStream::wait_for(Step step) {
  turns_ = 0;
  const auto what = step == Step::kNeedsInput ? Socket::wait_read : Socket::wait_write;
  auto [error] = co_await socket_.async_wait(what, kAwait);
  if (error) co_return fail(Errc::kClosed, "the connection was closed here");
  co_return Result<void>();
}

awaitable<void> TlsStream::share_the_loop() {
  if (++turns_ < kTurnsAtOnce) co_return;
  turns_ = 0;
  co_await asio::post(socket_.get_executor(), asio::use_awaitable);
}

Failure TlsStream::failed(std::string_view what) {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (!wire_->refusal.empty()) return fail(Errc::kUnauthenticated, fmt::format("{}: {}", what, wire_->refusal));
  if (std::optional<Error> refusal = refusal_by_peer(ssl_.get(), code, other_side_)) {
    refusal->message = fmt::format("{}: {}", what, refusal->message);
    return tl::make_unexpected(std::move(*refusal));
  }
  if (wire_->has_ended) return fail(Errc::kClosed, fmt::format("{}: {} closed the connection", what, other_side_));
  if (wire_->errno_value != 0) {
    const std::string reason = std::generic_category().message(wire_->errno_value);
    return fail(Errc::kClosed, fmt::format("{}: lost {}: {}", what, other_side_, reason));
  }
  const char* reason = ERR_reason_error_string(code);
  return fail(Errc::kInvalid, fmt::format("{}: {}", what, reason != nullptr ? reason : "unknown OpenSSL error"));
}

awaitable<Result<void>> TlsStream::handshake() {
  for (;;) {
    ERR_clear_error();
    const Step step = step_after(SSL_do_handshake(ssl_.get()));
    if (step == Step::kDone) co_return Result<void>();
    if (step != Step::kNeedsInput && step != Step::kNeedsOutput) co_return failed("TLS handshake");
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "TLS handshake");
  }
}

awaitable<Result<void>> TlsStream::wait_readable() {
  if (SSL_has_pending(ssl_.get()) == 1 || !wire_->first_bytes.empty() || is_readable(wire_->fd))
    co_return Result<void>();
  co_return co_await wait_for(Step::kNeedsInput);
}

awaitable<Result<size_t>> TlsStream::read_some(asio::mutable_buffer into) {
  for (;;) {
    ERR_clear_error();
    size_t got = 0;
    const Step step = step_after(SSL_read_ex(ssl_.get(), into.data(), into.size(), &got));
    if (step == Step::kDone) {
      co_await share_the_loop();
      co_return got;
    }
    if (step == Step::kPeerFinished) co_return size_t{0};
    if (step == Step::kFailed) {
      Failure failure = failed("read");
      // Programs that are killed send no close_notify. What must arrive whole has lengths and ends of its own.
      if (failure.value().code == Errc::kClosed) co_return size_t{0};
      co_return failure;
    }
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "read");
  }
}

awaitable<Result<void>> TlsStream::write(asio::const_buffer bytes) {
  while (bytes.size() > 0) {
    ERR_clear_error();
    size_t written = 0;
    const Step step = step_after(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written));
    if (step == Step::kDone) {
      bytes += written;
      co_await share_the_loop();
      continue;
    }
    if (step != Step::kNeedsInput && step != Step::kNeedsOutput) {
      Failure failure = failed("write");
      // A peer that refused our certificate has said why before it hung up: it lies unread in the socket.
      char ignored = 0;
      size_t got = 0;
      ERR_clear_error();
      if (failure.value().code == Errc::kClosed && SSL_peek_ex(ssl_.get(), &ignored, 1, &got) != 1) {
        Failure refusal = failed("write");
        if (refusal.value().code == Errc::kUnauthenticated) co_return refusal;
      }
      co_return failure;
    }
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "write");
  }
  co_return Result<void>();
}

awaitable<Result<void>> TlsStream::finish_writing() {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_shutdown(ssl_.get());
    if (result >= 0) co_return Result<void>();  // 0: ours is sent, the peer's has not come yet
    const Step step = step_after(result);
    if (step != Step::kNeedsInput && step != Step::kNeedsOutput) co_return failed("finish");
    const Result<void> waited = co_await wait_for(step);
    if (!waited) co_return fail(waited, "finish");
  }
}

}  // namespace cairn::tunnel
