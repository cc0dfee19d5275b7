#include "tunnel/tls.h"

#include <array>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace cairn::tunnel {
namespace {

struct Name {
  Alpn alpn;
  std::string_view name;
};
constexpr std::array<Name, 6> kNames = {{{Alpn::kAuth, "cairn-auth/1"},
                                         {Alpn::kEnroll, "cairn-enroll/1"},
                                         {Alpn::kTunnel, "cairn-tunnel/1"},
                                         {Alpn::kDial, "cairn-dial/1"},
                                         {Alpn::kSsh, "cairn-ssh/1"},
                                         {Alpn::kHttp, "http/1.1"}}};

// ALPN's wire form: one length byte, then the name (RFC 7301 §3.1).
std::string wire_form(Alpn alpn) {
  const std::string_view name = alpn_name(alpn);
  return static_cast<char>(name.size()) + std::string(name);
}

Failure openssl_failure(std::string_view what) {
  return fail(Errc::kInternal, fmt::format("{}: {}", what, openssl_error()));
}

Result<TlsContext> base_context(asio::ssl::context::method method) {
  ERR_clear_error();
  auto context = std::make_shared<asio::ssl::context>(method);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  // Sessions are short and certificates are checked afresh each time: no resumption.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  return context;
}

Result<void> use_identity(SSL_CTX* context, const Identity& me, bool present_authority) {
  const Result<X509Certificate> certificate = parse_certificate(me.certificate_pem);
  if (!certificate) return fail(certificate, "own certificate");
  std::unique_ptr<BIO, OpensslDeleter<BIO_free>> bio(
      BIO_new_mem_buf(me.private_pem.data(), static_cast<int>(me.private_pem.size())));
  const EvpPkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) return openssl_failure("own private key");
  if (SSL_CTX_use_certificate(context, certificate->get()) != 1 || SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return openssl_failure("own certificate");
  if (!present_authority) return {};
  const Result<X509Certificate> authority = parse_certificate(me.authorities.host_ca());
  if (!authority) return fail(authority, "host authority");
  if (SSL_CTX_add1_chain_cert(context, authority->get()) != 1) return openssl_failure("host authority");
  return {};
}

Result<void> believe(SSL_CTX* context, const std::string& authority_pem) {
  const Result<X509Certificate> authority = parse_certificate(authority_pem);
  if (!authority) return fail(authority, "authority");
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority->get()) != 1) return openssl_failure("authority");
  return {};
}

// `argument` is the one Alpn that this context serves, as an integer.
int select_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                unsigned int offered_bytes, void* argument) {
  const auto alpn = static_cast<Alpn>(reinterpret_cast<intptr_t>(argument));
  const std::string_view wanted = alpn_name(alpn);
  for (unsigned int at = 0; at < offered_bytes; at += 1u + offered[at]) {
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (name != wanted) continue;
    *chosen = offered + at + 1;
    *chosen_bytes = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool wants_client_certificate(Alpn alpn) { return alpn != Alpn::kEnroll && alpn != Alpn::kHttp; }

Result<TlsContext> server_context(const Identity& me, Alpn alpn) {
  Result<TlsContext> context = base_context(asio::ssl::context::tls_server);
  if (!context) return context;
  SSL_CTX* raw = (*context)->native_handle();
  if (Result<void> used = use_identity(raw, me, true); !used) return fail(used);
  SSL_CTX_set_alpn_select_cb(raw, select_alpn, reinterpret_cast<void*>(static_cast<intptr_t>(alpn)));
  if (!wants_client_certificate(alpn)) return context;
  for (const std::string* authority : {&me.authorities.host_ca(), &me.authorities.user_ca()}) {
    if (Result<void> believed = believe(raw, *authority); !believed) return fail(believed);
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

}  // namespace

std::string_view alpn_name(Alpn alpn) {
  for (const Name& entry : kNames)
    if (entry.alpn == alpn) return entry.name;
  return "?";
}

std::optional<Alpn> alpn_of(std::string_view name) {
  for (const Name& entry : kNames)
    if (entry.name == name) return entry.alpn;
  return std::nullopt;
}

Result<TlsContext> client_context(const Identity& me, Alpn alpn) {
  Result<TlsContext> context = base_context(asio::ssl::context::tls_client);
  if (!context) return context;
  SSL_CTX* raw = (*context)->native_handle();
  if (Result<void> used = use_identity(raw, me, false); !used) return fail(used);
  if (Result<void> believed = believe(raw, me.authorities.host_ca()); !believed) return fail(believed);
  const std::string wire = wire_form(alpn);
  SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned int>(wire.size()));
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  return context;
}

Result<TlsContext> anonymous_client_context() {
  Result<TlsContext> context = base_context(asio::ssl::context::tls_client);
  if (!context) return context;
  const std::string wire = wire_form(Alpn::kEnroll);
  SSL_CTX_set_alpn_protos((*context)->native_handle(), reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned int>(wire.size()));
  // The pin is checked on the chain after the handshake; until then nothing is sent.
  SSL_CTX_set_verify((*context)->native_handle(), SSL_VERIFY_NONE, nullptr);
  return context;
}

Result<ServerContexts> server_contexts(const Identity& me, const std::vector<Alpn>& alpns) {
  ServerContexts contexts;
  for (const Alpn alpn : alpns) {
    Result<TlsContext> context = server_context(me, alpn);
    if (!context) return fail(context, fmt::format("TLS for {}", alpn_name(alpn)));
    contexts[alpn] = std::move(*context);
  }
  return contexts;
}

Result<Peer> verified_peer(SSL* tls, const Identity& me) {
  X509* certificate = SSL_get0_peer_certificate(tls);
  const STACK_OF(X509)* chain = SSL_get0_verified_chain(tls);
  if (certificate == nullptr || chain == nullptr || SSL_get_verify_result(tls) != X509_V_OK)
    return fail(Errc::kUnauthenticated, "the other side proved no certificate");
  Result<Peer> peer = peer_of(certificate);
  if (!peer) return fail(Errc::kUnauthenticated, peer.error().message);
  const bool is_user = peer->role == Role::kUser;
  const Result<X509Certificate> authority =
      parse_certificate(is_user ? me.authorities.user_ca() : me.authorities.host_ca());
  if (!authority) return fail(authority);
  if (spki_sha256(sk_X509_value(chain, sk_X509_num(chain) - 1)) != spki_sha256(authority->get()))
    return fail(Errc::kUnauthenticated,
                fmt::format("certificate of a {} signed by the wrong authority", role_name(peer->role)));
  if (peer->cluster != me.self.cluster)
    return fail(Errc::kUnauthenticated,
                fmt::format("certificate of cluster \"{}\", ours is \"{}\"", peer->cluster, me.self.cluster));
  return peer;
}

std::string tls_sentence(const std::error_code& error, SSL* tls) {
  if (const long verified = SSL_get_verify_result(tls); verified != X509_V_OK)
    return fmt::format("the other side's certificate is refused: {}", X509_verify_cert_error_string(verified));
  // OpenSSL numbers the alerts that it received as reasons from 1000 on; asio keeps the packed code in the error value.
  const int reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
  if (error.category().name() == std::string_view("asio.ssl") && reason >= SSL_AD_REASON_OFFSET) {
    const std::string alert = SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
    if (alert.find("certificate") != std::string::npos || alert == "unknown CA")
      return fmt::format("the other side refused our certificate: {}", alert);
    if (alert == "no application protocol") return "the other side does not speak this protocol there";
    return fmt::format("the other side refused: {}", alert);
  }
  return error.message();
}

}  // namespace cairn::tunnel
