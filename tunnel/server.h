#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/client_hello.h"
#include "tunnel/connect.h"
#include "tunnel/stream.h"
#include "tunnel/tls.h"

namespace cairn::tunnel {

// A listening TCP socket.
class Listener {
 public:
  // Fails with the errno and a sentence that names the address: "listen on 0.0.0.0:3080: Address already in use; …".
  static Result<Listener> open(asio::any_io_executor executor, const Address& at);

  // "ip:port" as bound: tells which port the kernel chose for port 0.
  std::string address() const;
  // The next connection. Fails only when the listener is closed; out of descriptors, it waits for better times.
  awaitable<Result<Socket>> accept();
  void close();
  asio::any_io_executor executor() { return acceptor_.get_executor(); }

 private:
  explicit Listener(asio::ip::tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {}
  asio::ip::tcp::acceptor acceptor_;
};

// What a server needs to shake hands; replaced as a whole when the identity is renewed.
struct ServerTls {
  std::shared_ptr<const Identity> me;
  ServerContexts contexts;
};
Result<std::shared_ptr<const ServerTls>> make_server_tls(std::shared_ptr<const Identity> me,
                                                         const std::vector<Alpn>& alpns);

// A connection between accept and handshake: first greet(), then either secure() or take_over(), once. What is common
// to auth and the proxy; cairn-auth's port takes kAuth and kEnroll, the proxy secures the others and relays these two.
class Arrival {
 public:
  explicit Arrival(Socket socket) : socket_(std::move(socket)) {}

  // Before greet(), from a load balancer: takes the PROXY header off the front (proxy_header.h, whose errors it passes
  // on; kClosed, kTimeout). From then on remote_address() is the client's.
  awaitable<Result<void>> take_proxy_header(Deadline deadline);
  // Reads the ClientHello (at most kMaxClientHelloBytes) and returns the connection type that it asks for.
  // Fails with kInvalid when it is no TLS, kUnsupported when it asks for no type of ours (the client is told), kClosed
  // when it hangs up, kTimeout at the deadline.
  awaitable<Result<Alpn>> greet(Deadline deadline);
  // The handshake as a server. On types that demand a certificate the peer is verified.
  // Fails with kUnsupported when `tls` has no context for the type, kUnauthenticated when the certificate is refused:
  // the sentence says whose and why, and the client reads the kind of fault from the alert.
  awaitable<Result<std::unique_ptr<Connection>>> secure(std::shared_ptr<const ServerTls> tls, Deadline deadline);
  // The bare connection, for a relay that must not read it; hello() has been taken off its front.
  std::unique_ptr<Connection> take_over();

  const std::string& hello() const { return hello_; }
  std::string remote_address() const;

 private:
  awaitable<Result<void>> read_proxy_header();
  awaitable<Result<Alpn>> read_hello();
  awaitable<Result<void>> read_more();
  void refuse_protocol();
  awaitable<Result<std::unique_ptr<Connection>>> shake_hands(std::shared_ptr<const ServerTls> tls);

  Socket socket_;
  std::string hello_;   // what has been read and not been used
  std::string source_;  // as a load balancer said it; empty: whoever is at the socket's other end
  Alpn alpn_ = Alpn::kHttp;
};

}  // namespace cairn::tunnel
