#include "tunnel/tls_engine.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>

#include "tunnel/tls_refusal.h"

namespace cairn::tunnel {

// What OpenSSL reads from and writes to. It stays where it is while the engine moves: the BIO points to it.
struct TlsEngine::Wire {
  int fd = -1;  // borrowed
  std::string first_bytes;
  size_t first_used = 0;
  bool is_drained = false;       // the last recv(2) got less than it had room for
  bool has_ended = false;        // the peer's FIN was read
  bool is_more_to_come = false;  // more records follow at once: the kernel need not send yet (MSG_MORE, tcp(7))
  int errno_value = 0;           // of the failed system call
  std::string refusal;           // why we refused the peer's certificate
};

namespace {

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
  wire->is_drained = got != 0 && got < size;
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
  const int flags = MSG_NOSIGNAL | (wire->is_more_to_come ? MSG_MORE : 0);
  ssize_t sent = 0;
  do {
    sent = ::send(wire->fd, bytes, static_cast<size_t>(size), flags);
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

TlsEngine::TlsEngine(int fd, TlsContext context, TlsSide side, std::string first_bytes)
    : context_(std::move(context)), wire_(std::make_unique<Wire>()), ssl_(SSL_new(context_->native_handle())) {
  wire_->fd = fd;
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

TlsEngine::TlsEngine(TlsEngine&&) noexcept = default;
TlsEngine& TlsEngine::operator=(TlsEngine&&) noexcept = default;
TlsEngine::~TlsEngine() = default;

TlsEngine::Step TlsEngine::step_after(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE: return Step::kDone;
    case SSL_ERROR_WANT_READ: return Step::kNeedsInput;
    case SSL_ERROR_WANT_WRITE: return Step::kNeedsOutput;
    case SSL_ERROR_ZERO_RETURN: return Step::kPeerFinished;
    default: return Step::kFailed;
  }
}

TlsEngine::Step TlsEngine::handshake() {
  ERR_clear_error();
  return step_after(SSL_do_handshake(ssl_.get()));
}

bool TlsEngine::has_pending() const {
  return SSL_has_pending(ssl_.get()) == 1 || has_end_pending_ || !wire_->first_bytes.empty();
}

bool TlsEngine::is_drained() const { return wire_->is_drained && !has_pending(); }

TlsEngine::Step TlsEngine::read(boost::asio::mutable_buffer into, size_t& got) {
  ERR_clear_error();
  got = 0;
  const Step first = step_after(SSL_read_ex(ssl_.get(), into.data(), into.size(), &got));
  if (first != Step::kDone) return first;
  // Further records that came with it, where they fit whole.
  for (size_t more = 0; into.size() - got >= kTlsRecordBytes && SSL_has_pending(ssl_.get()) == 1; got += more) {
    const boost::asio::mutable_buffer rest = into + got;
    const int result = SSL_read_ex(ssl_.get(), rest.data(), rest.size(), &more);
    if (result == 1) continue;
    // An end that is not said now is said to whoever reads next, who must not wait for the descriptor.
    has_end_pending_ = step_after(result) != Step::kNeedsInput;
    break;
  }
  return Step::kDone;
}

TlsEngine::Step TlsEngine::write(boost::asio::const_buffer bytes, size_t& written) {
  ERR_clear_error();
  written = 0;
  wire_->is_more_to_come = bytes.size() > kTlsRecordBytes;
  return step_after(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written));
}

TlsEngine::Step TlsEngine::finish() {
  ERR_clear_error();
  wire_->is_more_to_come = false;
  const int result = SSL_shutdown(ssl_.get());
  return result >= 0 ? Step::kDone : step_after(result);  // 0: ours is sent, the peer's has not come yet
}

Failure TlsEngine::failed(std::string_view what) {
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

Failure TlsEngine::write_failed() {
  Failure failure = failed("write");
  // A peer that refused our certificate has said why before it hung up: it lies unread in the socket.
  char ignored = 0;
  size_t got = 0;
  if (failure.value().code != Errc::kClosed || SSL_peek_ex(ssl_.get(), &ignored, 1, &got) == 1) return failure;
  Failure refusal = failed("write");
  return refusal.value().code == Errc::kUnauthenticated ? refusal : failure;
}

}  // namespace cairn::tunnel
