#include "tunnel/server.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "tunnel/networks.h"
#include "tunnel/proxy_header.h"

namespace cairn::tunnel {
namespace {

constexpr std::chrono::milliseconds kDescriptorWait{100};
constexpr std::chrono::milliseconds kLingerLimit{300};

// A TLS record with the fatal alert no_application_protocol (RFC 7301 §3.2), as it stands before any handshake.
constexpr std::string_view kNoProtocolAlert("\x15\x03\x03\x00\x02\x02\x78", 7);

// A refused client may have sent more than we read; closing at once would answer that with a reset, which can overtake
// the alert that says why.
awaitable<Result<void>> read_away(Socket* socket) {
  std::array<char, 512> block{};
  for (int i = 0; i < 64; i++) {
    auto [error, got] = co_await socket->async_read_some(asio::buffer(block), kAwait);
    if (error) break;
  }
  co_return Result<void>();
}

awaitable<void> linger(Socket* socket) {
  boost::system::error_code ignored;
  socket->shutdown(asio::socket_base::shutdown_send, ignored);
  auto reading = read_away(socket);
  static_cast<void>(co_await within(after(kLingerLimit), std::move(reading)));
}

}  // namespace

Result<Listener> Listener::open(asio::any_io_executor executor, const Address& at) {
  const std::string what = fmt::format("listen on {}", address_text(at));
  boost::system::error_code error;
  const auto address = asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, error);
  if (error) return fail(Errc::kInvalid, fmt::format("{}: \"{}\" is not an IP address", what, at.host));
  asio::ip::tcp::acceptor acceptor(executor);
  const asio::ip::tcp::endpoint endpoint(address, at.port);
  UniqueFd fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(what);
  acceptor.assign(endpoint.protocol(), fd.get(), error);
  if (!error) static_cast<void>(fd.release());
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
  return error ? "closed" : endpoint_text(endpoint.address(), endpoint.port());
}

awaitable<Result<Socket>> Listener::accept() {
  for (;;) {
    auto [error] = co_await acceptor_.async_wait(asio::socket_base::wait_read, kAwait);
    if (error) co_return fail(Errc::kClosed, "the listener is closed");
    // Asio's own accept makes descriptors that programs started later would inherit.
    UniqueFd fd(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      // EMFILE and ENFILE pass when a connection ends; others are the business of a client that left.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        co_await sleep_for(kDescriptorWait);
      continue;
    }
    Socket socket(acceptor_.get_executor());
    boost::system::error_code assign_error;
    const asio::generic::stream_protocol protocol(acceptor_.local_endpoint(assign_error).protocol());
    if (!assign_error) socket.assign(protocol, fd.get(), assign_error);
    if (assign_error) continue;
    static_cast<void>(fd.release());
    tune(socket);
    co_return std::move(socket);
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

std::string Arrival::remote_address() const { return source_.empty() ? remote_address_of(socket_) : source_; }

awaitable<Result<void>> Arrival::take_proxy_header(Deadline deadline) {
  auto work = read_proxy_header();
  co_return co_await within(deadline, std::move(work));
}

awaitable<Result<void>> Arrival::read_proxy_header() {
  for (;;) {
    Result<std::optional<ProxyHeader>> parsed = parse_proxy_header(hello_);
    if (!parsed) co_return fail(parsed);
    if (std::optional<ProxyHeader>& header = *parsed) {
      hello_.erase(0, header->bytes);
      source_ = std::move(header->source);
      co_return Result<void>();
    }
    if (Result<void> read = co_await read_more(); !read) co_return read;
  }
}

awaitable<Result<void>> Arrival::read_more() {
  std::array<char, 4096> block{};
  auto [error, got] = co_await socket_.async_read_some(asio::buffer(block), kAwait);
  if (error) co_return fail(Errc::kClosed, "the client hung up before a whole ClientHello");
  hello_.append(block.data(), got);
  co_return Result<void>();
}

awaitable<Result<Alpn>> Arrival::greet(Deadline deadline) {
  auto work = read_hello();
  Result<Alpn> alpn = co_await within(deadline, std::move(work));
  co_return alpn;
}

awaitable<Result<Alpn>> Arrival::read_hello() {
  for (;;) {
    const Result<std::optional<ClientHello>> parsed = parse_client_hello(hello_);
    if (!parsed) co_return fail(parsed);
    const std::optional<ClientHello>& hello = *parsed;
    if (!hello && hello_.size() > 2 * kMaxClientHelloBytes) co_return fail(Errc::kTooLarge, "ClientHello without end");
    if (!hello) {
      if (Result<void> read = co_await read_more(); !read) co_return fail(read);
      continue;
    }
    for (const std::string& name : hello->alpn) {
      if (const std::optional<Alpn> alpn = alpn_of(name)) {
        alpn_ = *alpn;
        co_return alpn_;
      }
    }
    refuse_protocol();
    co_return fail(Errc::kUnsupported, "the client asks for no protocol that is spoken here (ALPN)");
  }
}

// Best effort into an empty socket buffer: the client reads "no application protocol" instead of a bare hang-up.
void Arrival::refuse_protocol() {
  ::send(socket_.native_handle(), kNoProtocolAlert.data(), kNoProtocolAlert.size(), MSG_NOSIGNAL);
}

awaitable<Result<std::unique_ptr<Connection>>> Arrival::secure(std::shared_ptr<const ServerTls> tls,
                                                               Deadline deadline) {
  auto work = shake_hands(std::move(tls));
  Result<std::unique_ptr<Connection>> connection = co_await within(deadline, std::move(work));
  co_return connection;
}

awaitable<Result<std::unique_ptr<Connection>>> Arrival::shake_hands(std::shared_ptr<const ServerTls> tls) {
  const auto found = tls->contexts.find(alpn_);
  if (found == tls->contexts.end()) {
    refuse_protocol();
    co_return fail(Errc::kUnsupported, fmt::format("{} is not spoken here", alpn_name(alpn_)));
  }
  TlsStream stream(std::move(socket_), found->second, TlsSide::kServer, std::move(hello_));
  stream.name_other_side("the client");
  const Result<void> shaken = co_await stream.handshake();
  if (!shaken) {
    co_await linger(&stream.socket());
    co_return fail(shaken, alpn_name(alpn_));
  }
  Peer peer;
  if (alpn_ != Alpn::kEnroll && alpn_ != Alpn::kHttp) {
    Result<Peer> verified = verified_peer(stream.native_handle());
    if (!verified) co_return fail(verified, alpn_name(alpn_));
    stream.name_other_side(describe(*verified));
    peer = std::move(*verified);
  }
  auto connection = std::make_unique<Connection>(std::move(stream), std::move(peer), alpn_);
  connection->came_from(std::move(source_));
  co_return connection;
}

std::unique_ptr<Connection> Arrival::take_over() {
  auto connection = std::make_unique<Connection>(std::move(socket_));
  connection->came_from(std::move(source_));
  return connection;
}

}  // namespace cairn::tunnel
