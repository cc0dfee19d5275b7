#pragma once

#include <string>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "base/async.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "tunnel/peer.h"
#include "tunnel/tls_engine.h"

namespace cairn::tunnel {

using Socket = asio::generic::stream_protocol::socket;  // TCP or unix

// Whether a read of it would not wait: there is something, or the end. Cheaper than the event loop where there is.
bool is_readable(int fd);

// TLS 1.3 over a socket, with OpenSSL working on the descriptor itself: either direction can end while the other goes
// on, and an idle connection holds no buffers. Why not asio::ssl::stream: docs/decisions/tls-stream.md.
// One coroutine reads and one writes at a time, both on the socket's executor.
class TlsStream {
 public:
  // `first_bytes` were read from the socket already: the handshake takes them before it reads on.
  TlsStream(Socket socket, TlsContext context, TlsSide side, std::string first_bytes = {});

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

  // Names the other side in error sentences, as TlsEngine has it.
  void name_other_side(std::string name) { engine_.name_other_side(std::move(name)); }

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }
  SSL* native_handle() const { return engine_.native_handle(); }
  // For who goes on with it without an event loop: the engine, and the socket, which is released to its new owner. The
  // stream is spent; nobody waits for it.
  std::pair<UniqueFd, TlsEngine> take_apart() && { return {UniqueFd(socket_.release()), std::move(engine_)}; }

 private:
  using Step = TlsEngine::Step;

  awaitable<Result<void>> wait_for(Step step);
  // Gives others their turn once in a while: a fast peer would keep this coroutine from ever suspending.
  awaitable<void> share_the_loop();

  Socket socket_;
  TlsEngine engine_;
  int turns_ = 0;
};

}  // namespace cairn::tunnel
