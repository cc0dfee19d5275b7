#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <openssl/ssl.h>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/peer.h"
#include "tunnel/tls.h"

namespace cairn::tunnel {

using Socket = asio::generic::stream_protocol::socket;  // TCP or unix

// Whether a read of it would not wait: there is something, or the end. Cheaper than the event loop where there is.
bool is_readable(int fd);

enum class TlsSide { kClient, kServer };

// TLS 1.3 over a socket, with OpenSSL working on the descriptor itself: either direction can end while the other goes
// on, and an idle connection holds no buffers. Why not asio::ssl::stream: docs/decisions/tls-stream.md.
// One coroutine reads and one writes at a time, both on the socket's executor.
class TlsStream {
 public:
  // `first_bytes` were read from the socket already: the handshake takes them before it reads on.
  TlsStream(Socket socket, TlsContext context, TlsSide side, std::string first_bytes = {});
  TlsStream(TlsStream&&) noexcept;
  TlsStream& operator=(TlsStream&&) noexcept;
  ~TlsStream();

  // Fails with kUnauthenticated when either side's certificate is refused, kUnsupported when the other side does not
  // speak the protocol (ALPN), kClosed when it hung up. The sentence says which certificate and why.
  awaitable<Result<void>> handshake();

  // Until read_some() has something to look at; so that who waits long needs no memory for it meanwhile.
  awaitable<Result<void>> wait_readable();
  // At least one byte, or 0 when the peer has finished. That a server refused our certificate shows here first
  // (TLS 1.3: the client is done before the server has looked), as kUnauthenticated.
  awaitable<Result<size_t>> read_some(asio::mutable_buffer into);
  // All of it. The memory is borrowed until it returns.
  awaitable<Result<void>> write(asio::const_buffer bytes);
  // Tells the peer that no more will come (close_notify); reading goes on.
  awaitable<Result<void>> finish_writing();

  // Names the other side in error sentences: "the proxy refused our certificate: …". "the other side" unless set.
  void name_other_side(std::string name);

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }
  SSL* native_handle() const { return ssl_.get(); }

 private:
  struct Wire;
  enum class Step { kDone, kNeedsInput, kNeedsOutput, kPeerFinished, kFailed };

  Step step_after(int result) const;
  awaitable<Result<void>> wait_for(Step step);
  // Gives others their turn once in a while: a fast peer would keep this coroutine from ever suspending.
  awaitable<void> share_the_loop();
  Failure failed(std::string_view what);

  Socket socket_;
  TlsContext context_;  // outlives ssl_
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
  std::string other_side_ = "the other side";
  int turns_ = 0;
};

}  // namespace cairn::tunnel
