#include "tunnel/connect.h"

#include <sys/socket.h>

#include <charconv>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "tunnel/http_connect.h"
#include "tunnel/tls_refusal.h"

namespace cairn::tunnel {
namespace {

constexpr std::string_view kPinPrefix = "sha256:";
constexpr size_t kPinHexDigits = 64;

using Endpoints = std::vector<asio::ip::tcp::endpoint>;

// An IP address needs no resolver, whose answer no deadline can hurry (getaddrinfo(3) cannot be cancelled).
awaitable<Result<Endpoints>> resolve(Address to) {
  boost::system::error_code error;
  if (const auto literal = asio::ip::make_address(to.host, error); !error)
    co_return Endpoints{asio::ip::tcp::endpoint(literal, to.port)};
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  auto [resolve_error, found] = co_await resolver.async_resolve(to.host, std::to_string(to.port), kAwait);
  if (resolve_error)
    co_return fail(Errc::kUnavailable, fmt::format("resolve {}: {}", to.host, resolve_error.message()));
  Endpoints endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

awaitable<Result<Socket>> connect_directly(Address to) {
  const Result<Endpoints> endpoints = co_await resolve(to);
  if (!endpoints) co_return fail(endpoints);
  const auto executor = co_await asio::this_coro::executor;
  std::string reason = "no address";
  for (const asio::ip::tcp::endpoint& endpoint : *endpoints) {
    // Asio makes sockets that programs started later would inherit.
    UniqueFd fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) co_return fail_errno(fmt::format("connect to {}", address_text(to)));
    asio::ip::tcp::socket socket(executor);
    boost::system::error_code error;
    if (socket.assign(endpoint.protocol(), fd.get(), error); error) co_return fail(std::error_code(error), "connect");
    static_cast<void>(fd.release());
    std::tie(error) = co_await socket.async_connect(endpoint, kAwait);
    if (!error) {
      Socket connected(std::move(socket));
      tune(connected);
      co_return std::move(connected);
    }
    reason = error.message();
  }
  co_return fail(Errc::kUnavailable, fmt::format("connect to {}: {}", address_text(to), reason));
}

awaitable<Result<Socket>> connect_tcp(Address to) {
  Result<std::optional<HttpProxy>> found = http_proxy_for(to, http_proxy_variables());
  if (!found) co_return fail(found);
  const std::optional<HttpProxy>& proxy = *found;
  if (!proxy) co_return co_await connect_directly(std::move(to));
  Result<Socket> socket = co_await connect_directly(proxy->address);
  if (!socket) co_return fail(socket, "HTTPS_PROXY");
  auto asking = http_connect(&*socket, std::move(to), proxy->credentials);
  if (Result<void> joined = co_await std::move(asking); !joined) co_return fail(joined);
  co_return socket;
}

std::string_view role_in_sentences(Role role) { return role == Role::kAuth ? "auth" : "the proxy"; }

awaitable<Result<TlsStream>> handshake(Address to, TlsContext context, Alpn alpn, std::string other_side) {
  Result<Socket> socket = co_await connect_tcp(to);
  if (!socket) co_return fail(socket);
  TlsStream stream(std::move(*socket), std::move(context), TlsSide::kClient);
  stream.name_other_side(other_side);
  const Result<void> shaken = co_await stream.handshake();
  if (!shaken && shaken.error().code == Errc::kClosed) {
    co_return fail(Errc::kUnavailable,
                   fmt::format("{} hung up before the connection was secure; is {} running behind it?",
                               address_text(to), other_side));
  }
  if (!shaken) co_return fail(shaken, address_text(to));
  const unsigned char* chosen = nullptr;
  unsigned int chosen_bytes = 0;
  SSL_get0_alpn_selected(stream.native_handle(), &chosen, &chosen_bytes);
  if (std::string_view(reinterpret_cast<const char*>(chosen), chosen_bytes) != alpn_name(alpn))
    co_return fail(Errc::kUnsupported, fmt::format("{} does not speak {}", address_text(to), alpn_name(alpn)));
  co_return std::move(stream);
}

awaitable<Result<std::unique_ptr<Connection>>> connect_as(Address to, std::shared_ptr<const Identity> me, Alpn alpn,
                                                          Role expected) {
  Result<TlsContext> context = client_context(*me, alpn);
  if (!context) co_return fail(context);
  auto work = handshake(to, std::move(*context), alpn, std::string(role_in_sentences(expected)));
  Result<TlsStream> stream = co_await std::move(work);
  if (!stream) co_return fail(stream);
  Result<Peer> peer = verified_peer(stream->native_handle());
  if (!peer) co_return fail(peer, address_text(to));
  if (peer->role != expected)
    co_return fail(Errc::kUnauthenticated, fmt::format("{} is a {}, expected {}", address_text(to),
                                                       role_name(peer->role), role_name(expected)));
  co_return std::make_unique<Connection>(std::move(*stream), std::move(*peer), alpn);
}

// The chain's CA that the pin names, or its topmost certificate without a pin; null when none fits.
X509* pinned_authority(const STACK_OF(X509) * chain, std::string_view ca_pin) {
  for (int i = sk_X509_num(chain) - 1; i >= 0; i--) {
    X509* certificate = sk_X509_value(chain, i);
    if (ca_pin.empty() || ca_pin_of(certificate) == ca_pin) return certificate;
  }
  return nullptr;
}

Result<void> check_signed(X509* authority, X509* certificate) {
  std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>> store(X509_STORE_new());
  std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  X509_STORE_add_cert(store.get(), authority);
  X509_STORE_CTX_init(check.get(), store.get(), certificate, nullptr);
  if (X509_verify_cert(check.get()) == 1) return {};
  return fail(Errc::kUnauthenticated, refusal_sentence(certificate, X509_STORE_CTX_get_error(check.get())));
}

Result<Peer> believe_by_pin(SSL* tls, const Address& to, const std::string& ca_pin) {
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(tls);
  X509* leaf = SSL_get0_peer_certificate(tls);
  if (chain == nullptr || leaf == nullptr || sk_X509_num(chain) == 0)
    return fail(Errc::kUnauthenticated, fmt::format("{} presents no certificate", address_text(to)));
  X509* authority = pinned_authority(chain, ca_pin);
  if (authority == nullptr)
    return fail(
        Errc::kDenied,
        fmt::format("CA pin mismatch: expected {}, the server at {} presented {}; if the cluster's authority was "
                    "not replaced, somebody else answers there",
                    ca_pin, address_text(to), ca_pin_of(sk_X509_value(chain, sk_X509_num(chain) - 1))));
  if (Result<void> is_signed = check_signed(authority, leaf); !is_signed) return fail(is_signed, address_text(to));
  Result<Peer> peer = peer_of(leaf);
  if (!peer) return fail(peer, address_text(to));
  if (peer->role != Role::kAuth)
    return fail(Errc::kUnauthenticated, fmt::format("{} is a {}, not auth", address_text(to), role_name(peer->role)));
  return peer;
}

Result<void> check_pin_form(std::string_view ca_pin) {
  if (ca_pin.empty()) return {};
  if (ca_pin.starts_with(kPinPrefix) && ca_pin.size() == kPinPrefix.size() + kPinHexDigits &&
      from_hex(ca_pin.substr(kPinPrefix.size())))
    return {};
  return fail(Errc::kInvalid, fmt::format("\"{}\" is not a CA pin; it is sha256: and 64 hexadecimal digits, shown by "
                                          "\"cairn status\" on the auth host",
                                          ca_pin));
}

awaitable<Result<enroll::v1::EnrollResponse>> ask(Address to, std::string ca_pin, enroll::v1::EnrollRequest request) {
  Result<TlsContext> context = anonymous_client_context(Alpn::kEnroll);
  if (!context) co_return fail(context);
  auto work = handshake(to, std::move(*context), Alpn::kEnroll, "auth");
  Result<TlsStream> stream = co_await std::move(work);
  if (!stream) co_return fail(stream);
  Result<Peer> peer = believe_by_pin(stream->native_handle(), to, ca_pin);
  if (!peer) co_return fail(peer);
  Connection connection(std::move(*stream), std::move(*peer), Alpn::kEnroll);
  Result<void> written = co_await connection.write(request);
  if (!written) co_return fail(written, "enrol");
  auto reading = connection.read<enroll::v1::EnrollResponse>(kMaxControlFrameBytes);
  Result<std::optional<enroll::v1::EnrollResponse>> read = co_await std::move(reading);
  if (!read) co_return fail(read, "enrol");
  std::optional<enroll::v1::EnrollResponse>& response = *read;
  if (!response) co_return fail(Errc::kUnavailable, fmt::format("{} closed without an answer", address_text(to)));
  co_await connection.close_gracefully();
  if (response->has_error()) co_return fail(Errc::kDenied, response->error().message());
  co_return std::move(*response);
}

}  // namespace

Result<Address> parse_address(std::string_view text, uint16_t default_port) {
  const Failure malformed = fail(Errc::kInvalid, fmt::format("\"{}\" is not an address; write host:port", text));
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return malformed;
    host = text.substr(1, end - 1);
    if (text.size() > end + 1 && text[end + 1] != ':') return malformed;
    port = text.size() > end + 1 ? text.substr(end + 2) : "";
  } else if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    if (text.find(':') != colon) return malformed;  // a bare IPv6 address: is the last part a port? nobody can tell
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return malformed;
  }
  if (host.empty()) return malformed;
  Address address{.host = std::string(host), .port = default_port};
  if (port.empty()) return address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return malformed;
  return address;
}

std::string address_text(const Address& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

awaitable<Result<std::unique_ptr<Connection>>> connect(Address to, std::shared_ptr<const Identity> me, Alpn alpn,
                                                       Role expected, Deadline deadline) {
  auto work = connect_as(to, std::move(me), alpn, expected);
  Result<std::unique_ptr<Connection>> connected = co_await within(deadline, std::move(work));
  if (!connected && connected.error().code == Errc::kTimeout)
    co_return fail(connected, fmt::format("connect to {}", address_text(to)));
  co_return connected;
}

awaitable<Result<std::unique_ptr<Connection>>> connect_bare(Address to, Deadline deadline) {
  auto work = connect_tcp(to);
  Result<Socket> socket = co_await within(deadline, std::move(work));
  if (!socket && socket.error().code == Errc::kTimeout)
    co_return fail(socket, fmt::format("connect to {}", address_text(to)));
  if (!socket) co_return fail(socket);
  co_return std::make_unique<Connection>(std::move(*socket));
}

awaitable<Result<enroll::v1::EnrollResponse>> enroll(Address to, std::string ca_pin, enroll::v1::EnrollRequest request,
                                                     Deadline deadline) {
  if (Result<void> formed = check_pin_form(ca_pin); !formed) co_return fail(formed);
  auto work = ask(to, std::move(ca_pin), std::move(request));
  Result<enroll::v1::EnrollResponse> response = co_await within(deadline, std::move(work));
  if (!response && response.error().code == Errc::kTimeout)
    co_return fail(response, fmt::format("enrol at {}", address_text(to)));
  co_return response;
}

}  // namespace cairn::tunnel
