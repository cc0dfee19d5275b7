#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <google/protobuf/message_lite.h>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/peer.h"
#include "tunnel/tls.h"
#include "tunnel/tls_stream.h"

namespace cairn::tunnel {

using UnixSocket = asio::local::stream_protocol::socket;

constexpr size_t kMaxControlFrameBytes = 64 * 1024;     // cairn-tunnel, -dial, -ssh, -enroll
constexpr size_t kMaxAuthFrameBytes = 4 * 1024 * 1024;  // cairn-auth

// A connection to a peer: TLS over TCP, bare TCP (a relay's end) or a unix socket. Carries frames (4-byte big-endian
// length, one protobuf message: docs/protocol.md §2) or raw bytes. At most one coroutine reads and one writes at a
// time. All on the executor of its socket. Destroying it closes it at once; what was not written is lost.
// An operation that a deadline has cut off leaves the connection out of step: close it.
class Connection {
 public:
  Connection(TlsStream stream, Peer peer, Alpn alpn);
  explicit Connection(Socket socket) : stream_(std::move(socket)) {}
  explicit Connection(UnixSocket socket) : stream_(Socket(std::move(socket))) {}

  // Who is at the other end; on TLS as its verified certificate says. Without a certificate (enroll, http, bare
  // sockets) its id is empty.
  const Peer& peer() const { return peer_; }
  Alpn alpn() const { return alpn_; }
  // "ip:port" of the other end, or "unix"; behind a load balancer the client's, as the balancer said it.
  std::string remote_address() const;
  void came_from(std::string address) { source_ = std::move(address); }
  // The ends of the socket itself, likewise written. Where the two sides see different ones somebody stands between.
  std::string local_end() const;
  std::string far_end() const;

  // One message, or nullopt when the peer closed between two frames.
  // Fails with kTooLarge before allocating, kTruncated when the peer closed inside a frame, kInvalid when it is no such
  // message.
  template <class Message> awaitable<Result<std::optional<Message>>> read(size_t limit_bytes) {
    Result<std::optional<std::string>> frame = co_await read_frame(limit_bytes);
    if (!frame) co_return fail(frame);
    const std::optional<std::string>& body = *frame;
    if (!body) co_return std::optional<Message>();
    Message message;
    if (!message.ParseFromString(*body))
      co_return fail(Errc::kInvalid, "frame that is no " + std::string(Message::descriptor()->full_name()));
    co_return std::optional<Message>(std::move(message));
  }
  // Serialises at once; `message` need not outlive the call.
  awaitable<Result<void>> write(const google::protobuf::MessageLite& message);

  awaitable<Result<std::optional<std::string>>> read_frame(size_t limit_bytes);
  awaitable<Result<void>> write_frame(std::string body);

  // Until there is something to read, the end included.
  awaitable<Result<void>> wait_readable();
  // Raw bytes. read_some returns 0 when the peer has finished. The memory is borrowed until the call returns.
  awaitable<Result<size_t>> read_some(asio::mutable_buffer into);
  awaitable<Result<void>> write_bytes(asio::const_buffer bytes);

  // Tells the peer that no more will come; reading goes on until it finishes too.
  awaitable<Result<void>> finish_writing();

  // Says goodbye so that the peer reads everything that was written: finishes writing, then reads away what still comes
  // until the peer has finished too (at most 2 s), then closes.
  awaitable<void> close_gracefully();
  // Closes at once; pending reads and writes fail. From the connection's own executor.
  void close();

  int native_handle();
  // The socket, for somebody who goes on with it alone; the connection is spent. Of a bare connection only.
  Socket release_socket() { return std::move(std::get<Socket>(stream_)); }
  // The same of a TLS connection, for who goes on without an event loop.
  std::pair<UniqueFd, TlsEngine> take_apart() && { return std::move(std::get<TlsStream>(stream_)).take_apart(); }

 private:
  Socket& socket();
  const Socket& socket() const;

  std::variant<TlsStream, Socket> stream_;
  Peer peer_;
  Alpn alpn_ = Alpn::kHttp;
  std::string source_;  // empty: whoever is at the socket's other end
};

// "1.2.3.4:5", "[v6]:5", "unix"; "unknown" when it is connected no more.
std::string remote_address_of(const Socket& socket);
// For every socket between two of our programs: no Nagle, a dead peer is noticed within 20 seconds, whether or not
// there is something to send.
void tune(Socket& socket);

}  // namespace cairn::tunnel
