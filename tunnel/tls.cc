#include "tunnel/tls.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tunnel/tls_refusal.h"

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

// All of TLS 1.3's that are in use. AES with the shorter key first: it costs a quarter less time, a session's bytes are
// encrypted by SSH besides, and pass five ends of TLS.
constexpr const char* kCipherSuites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
// What one recv(2) may bring: two records instead of two calls for each. Held only while it holds something, and small
// enough for jemalloc's thread caches: larger ones are given back to the kernel and taken again, time and again.
constexpr size_t kReadAheadBytes = 32 * 1024;
static_assert(kReadAheadBytes > 2 * (kTlsRecordBytes + 64));

struct StackDeleter {  // sk_X509_free is a macro
  void operator()(STACK_OF(X509) * certificates) const noexcept { sk_X509_free(certificates); }
};
using CertificateStack = std::unique_ptr<STACK_OF(X509), StackDeleter>;

// A context and what its certificate check needs, of one lifetime.
struct Setting {
  asio::ssl::context context;
  Alpn alpn;
  std::vector<Role> roles;  // whose certificates are taken
  std::string cluster;
  std::shared_ptr<const IdentityParts> me;  // null for who has no identity

  Setting(asio::ssl::context::method method, Alpn for_alpn) : context(method), alpn(for_alpn) {}
  SSL_CTX* raw() { return context.native_handle(); }
};

Failure openssl_failure(std::string_view what) {
  return fail(Errc::kInternal, fmt::format("{}: {}", what, openssl_error()));
}

// ALPN's wire form: one length byte, then the name (RFC 7301 §3.1).
std::string wire_form(Alpn alpn) {
  const std::string_view name = alpn_name(alpn);
  return static_cast<char>(name.size()) + std::string(name);
}

std::vector<Role> roles_of_clients(Alpn alpn) {
  switch (alpn) {
    case Alpn::kAuth: return {Role::kNode, Role::kProxy, Role::kUser};
    case Alpn::kTunnel:
    case Alpn::kDial: return {Role::kNode};
    case Alpn::kSsh: return {Role::kUser};
    case Alpn::kEnroll:
    case Alpn::kHttp: return {};
  }
  return {};
}

Role role_of_server(Alpn alpn) { return alpn == Alpn::kAuth ? Role::kAuth : Role::kProxy; }

std::shared_ptr<Setting> make_setting(asio::ssl::context::method method, Alpn alpn) {
  ERR_clear_error();
  auto setting = std::make_shared<Setting>(method, alpn);
  SSL_CTX* raw = setting->raw();
  SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_ciphersuites(raw, kCipherSuites);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_read_buffer_len(raw, kReadAheadBytes);
  SSL_CTX_set_max_send_fragment(raw, kTlsRecordBytes);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Certificates are checked afresh each time: no resumption.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  return setting;
}

// The context, kept alive together with its setting.
TlsContext as_context(std::shared_ptr<Setting> setting) {
  asio::ssl::context* context = &setting->context;
  return {std::move(setting), context};
}

// `roles`: whose certificates are taken.
Result<void> use_identity(Setting& setting, const Identity& me, std::vector<Role> roles) {
  setting.me = me.parts;
  setting.roles = std::move(roles);
  setting.cluster = me.self.cluster;
  if (SSL_CTX_use_certificate(setting.raw(), me.parts->certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(setting.raw(), me.parts->key.get()) != 1)
    return openssl_failure("own certificate");
  return {};
}

// The number that makes OpenSSL send the fitting alert: 0, or one of X509_V_ERR_….
int check_peer(const Setting& setting, X509_STORE_CTX* check, std::string* refusal) {
  X509* certificate = X509_STORE_CTX_get0_cert(check);
  const Result<Peer> peer = peer_of(certificate);
  if (!peer) {
    *refusal = peer.error().message;
    return X509_V_ERR_CERT_REJECTED;
  }
  const CertificateStack believed(sk_X509_new_null());
  X509* authority = peer->role == Role::kUser ? setting.me->user_ca.get() : setting.me->host_ca.get();
  if (!believed || sk_X509_push(believed.get(), authority) <= 0) return X509_V_ERR_OUT_OF_MEM;
  X509_STORE_CTX_set0_trusted_stack(check, believed.get());
  const bool is_signed = X509_verify_cert(check) == 1;
  X509_STORE_CTX_set0_trusted_stack(check, nullptr);
  if (!is_signed) {
    const int error = X509_STORE_CTX_get_error(check);
    *refusal = refusal_sentence(certificate, error);
    return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
  }
  if (peer->cluster != setting.cluster) {
    *refusal =
        fmt::format("{} belongs to cluster \"{}\", we to \"{}\"", describe(*peer), peer->cluster, setting.cluster);
    return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;  // the other side hears of an authority that is not ours
  }
  if (std::ranges::find(setting.roles, peer->role) == setting.roles.end()) {
    *refusal = fmt::format("{} presents the certificate of a {}, which has no place on {}", describe(*peer),
                           role_name(peer->role), alpn_name(setting.alpn));
    return X509_V_ERR_INVALID_PURPOSE;
  }
  return X509_V_OK;
}

// `argument` is the Setting. OpenSSL's cert_verify_callback: 1 accepts, 0 refuses with the error in `check`.
int verify_certificate(X509_STORE_CTX* check, void* argument) {
  auto* tls = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  std::string unheard;
  std::string* refusal = refusal_of(tls);
  const int error = check_peer(*static_cast<const Setting*>(argument), check, refusal != nullptr ? refusal : &unheard);
  X509_STORE_CTX_set_error(check, error);
  return error == X509_V_OK ? 1 : 0;
}

// `argument` is the Setting, whose one connection type is accepted.
int select_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                unsigned int offered_bytes, void* argument) {
  const std::string_view wanted = alpn_name(static_cast<const Setting*>(argument)->alpn);
  for (unsigned int at = 0; at < offered_bytes; at += 1u + offered[at]) {
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (name != wanted) continue;
    *chosen = offered + at + 1;
    *chosen_bytes = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<TlsContext> server_context(const Identity& me, Alpn alpn) {
  const std::shared_ptr<Setting> setting = make_setting(asio::ssl::context::tls_server, alpn);
  if (Result<void> used = use_identity(*setting, me, roles_of_clients(alpn)); !used) return fail(used);
  if (SSL_CTX_add1_chain_cert(setting->raw(), me.parts->host_ca.get()) != 1) return openssl_failure("host authority");
  SSL_CTX_set_alpn_select_cb(setting->raw(), select_alpn, setting.get());
  if (setting->roles.empty()) return as_context(setting);
  SSL_CTX_set_verify(setting->raw(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(setting->raw(), verify_certificate, setting.get());
  return as_context(setting);
}

void ask_for(Setting& setting) {
  const std::string wire = wire_form(setting.alpn);
  SSL_CTX_set_alpn_protos(setting.raw(), reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned int>(wire.size()));
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
  const std::shared_ptr<Setting> setting = make_setting(asio::ssl::context::tls_client, alpn);
  if (Result<void> used = use_identity(*setting, me, {role_of_server(alpn)}); !used) return fail(used);
  ask_for(*setting);
  SSL_CTX_set_verify(setting->raw(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(setting->raw(), verify_certificate, setting.get());
  return as_context(setting);
}

Result<TlsContext> anonymous_client_context(Alpn alpn) {
  const std::shared_ptr<Setting> setting = make_setting(asio::ssl::context::tls_client, alpn);
  ask_for(*setting);
  SSL_CTX_set_verify(setting->raw(), SSL_VERIFY_NONE, nullptr);
  return as_context(setting);
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

Result<Peer> verified_peer(SSL* tls) {
  X509* certificate = SSL_get0_peer_certificate(tls);
  if (certificate == nullptr || SSL_get_verify_result(tls) != X509_V_OK)
    return fail(Errc::kUnauthenticated, "the other side proved no certificate");
  return peer_of(certificate);
}

}  // namespace cairn::tunnel
