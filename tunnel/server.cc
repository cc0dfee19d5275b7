#include "tunnel/server.h"

#include <array>

#include <fmt/format.h>

namespace cairn::tunnel {
namespace {

constexpr std::chrono::milliseconds kDescriptorWait{100};

std::string endpoint_text(const asio::ip::tcp::endpoint& endpoint) {
  return address_text({.host = endpoint.address().to_string(), .port = endpoint.port()});
}

}  // namespace

Result<Listener> Listener::open(asio::any_io_executor executor, const Address& at) {
  const std::string what = fmt::format("listen on {}", address_text(at));
  boost::system::error_code error;
  const auto address = asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, error);
  if (error) return fail(Errc::kInvalid, fmt::format("{}: \"{}\" is not an IP address", what, at.host));
  asio::ip::tcp::acceptor acceptor(executor);
  const asio::ip::tcp::endpoint endpoint(address, at.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use)
    return fail(std::error_code(error),
                fmt::format("{}: {}; stop the other program or choose another port", what, error.message()));
  if (error) return fail(std::error_code(error), fmt::format("{}: {}", what, error.message()));
  return Listener(std::move(acceptor));
}

std::string Listener::address() const {
  boost::system::error_code error;
  const asio::ip::tcp::endpoint endpoint = acceptor_.local_endpoint(error);
  return error ? "closed" : endpoint_text(endpoint);
}

awaitable<Result<asio::ip::tcp::socket>> Listener::accept() {
  for (;;) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (!error) {
      boost::system::error_code ignored;
      socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      socket.set_option(asio::socket_base::keep_alive(true), ignored);
      co_return std::move(socket);
    }
    if (!acceptor_.is_open() || error == asio::error::operation_aborted)
      co_return fail(Errc::kClosed, "the listener is closed");
    // EMFILE and ENFILE pass when a connection ends; ECONNABORTED is the peer's business.
    co_await sleep_for(kDescriptorWait);
  }
}

void Listener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

Result<std::shared_ptr<const ServerTls>> make_server_tls(std::shared_ptr<const Identity> me,
                                                         const std::vector<Alpn>& alpns) {
  Result<ServerContexts> contexts = server_contexts(*me, alpns);
  if (!contexts) return fail(contexts);
  return std::make_shared<const ServerTls>(ServerTls{.me = std::move(me), .contexts = std::move(*contexts)});
}

std::string Arrival::remote_address() const {
  boost::system::error_code error;
  const asio::ip::tcp::endpoint endpoint = socket_.remote_endpoint(error);
  return error ? "unknown" : endpoint_text(endpoint);
}

awaitable<Result<Alpn>> Arrival::greet(Deadline deadline) {
  auto work = read_hello();
  Result<Alpn> alpn = co_await within(deadline, std::move(work));
  co_return alpn;
}

awaitable<Result<Alpn>> Arrival::read_hello() {
  std::array<char, 4096> block{};
  for (;;) {
    auto [error, got] = co_await socket_.async_read_some(asio::buffer(block), kAwait);
    if (error) co_return fail(Errc::kClosed, "closed before a ClientHello");
    hello_.append(block.data(), got);
    const Result<std::optional<ClientHello>> parsed = parse_client_hello(hello_);
    if (!parsed) co_return fail(parsed);
    const std::optional<ClientHello>& hello = *parsed;
    if (!hello && hello_.size() > 2 * kMaxClientHelloBytes) co_return fail(Errc::kTooLarge, "ClientHello without end");
    if (!hello) continue;
    for (const std::string& name : hello->alpn) {
      if (const std::optional<Alpn> alpn = alpn_of(name)) {
        alpn_ = *alpn;
        co_return alpn_;
      }
    }
    co_return fail(Errc::kInvalid, "the client asks for no protocol that is spoken here (ALPN)");
  }
}

awaitable<Result<std::unique_ptr<Connection>>> Arrival::secure(std::shared_ptr<const ServerTls> tls,
                                                               Deadline deadline) {
  auto work = shake_hands(std::move(tls));
  Result<std::unique_ptr<Connection>> connection = co_await within(deadline, std::move(work));
  co_return connection;
}

awaitable<Result<std::unique_ptr<Connection>>> Arrival::shake_hands(std::shared_ptr<const ServerTls> tls) {
  const auto found = tls->contexts.find(alpn_);
  if (found == tls->contexts.end())
    co_return fail(Errc::kUnsupported, fmt::format("{} is not spoken here", alpn_name(alpn_)));
  TlsStream stream(std::move(socket_), *found->second);
  auto [error, used] = co_await stream.async_handshake(asio::ssl::stream_base::server, asio::buffer(hello_), kAwait);
  if (error) {
    const std::string sentence = tls_sentence(error, stream.native_handle());
    co_return fail(Errc::kUnauthenticated, fmt::format("{} handshake: {}", alpn_name(alpn_), sentence));
  }
  Peer peer;
  if (alpn_ != Alpn::kEnroll && alpn_ != Alpn::kHttp) {
    Result<Peer> verified = verified_peer(stream.native_handle(), *tls->me);
    if (!verified) co_return fail(verified, fmt::format("{} handshake", alpn_name(alpn_)));
    peer = std::move(*verified);
  }
  co_return std::make_unique<Connection>(std::move(stream), found->second, std::move(peer), alpn_);
}

std::unique_ptr<Connection> Arrival::take_over() { return std::make_unique<Connection>(std::move(socket_)); }

}  // namespace cairn::tunnel
