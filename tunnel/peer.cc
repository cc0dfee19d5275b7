#include "tunnel/peer.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/log.h"

namespace cairn::tunnel {
namespace {

constexpr std::string_view kScheme = "cairn://";

struct AlternativeNames {
  std::vector<std::string> uris;
  std::vector<std::string> dns;
};

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

AlternativeNames alternative_names(X509* certificate) {
  AlternativeNames found;
  std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) found.uris.push_back(text_of(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) found.dns.push_back(text_of(name->d.dNSName));
  }
  return found;
}

Result<Peer> parse_uri(std::string_view uri) {
  Failure malformed =
      fail(Errc::kInvalid, fmt::format("certificate with a URI of another kind, \"{}\"", uri.substr(0, 200)));
  if (!uri.starts_with(kScheme)) return malformed;
  uri.remove_prefix(kScheme.size());
  const size_t cluster_end = uri.find('/');
  if (cluster_end == std::string_view::npos || cluster_end == 0) return malformed;
  Peer peer;
  peer.cluster = std::string(uri.substr(0, cluster_end));
  uri.remove_prefix(cluster_end + 1);
  const size_t role_end = uri.find('/');
  const std::string_view role = uri.substr(0, role_end);
  peer.id = role_end == std::string_view::npos ? "" : std::string(uri.substr(role_end + 1));
  const bool has_uuid = is_uuid(peer.id);
  if (role == "auth" && role_end == std::string_view::npos) {
    peer.role = Role::kAuth;
  } else if (role == "proxy" && has_uuid) {
    peer.role = Role::kProxy;
  } else if (role == "node" && has_uuid) {
    peer.role = Role::kNode;
  } else if (role == "user" && !peer.id.empty() && peer.id.find('/') == std::string::npos) {
    peer.role = Role::kUser;
  } else {
    return malformed;
  }
  return peer;
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kAuth: return "auth";
    case Role::kProxy: return "proxy";
    case Role::kNode: return "node";
    case Role::kUser: return "user";
  }
  return "?";
}

std::string role_uri(const Peer& peer) {
  if (peer.role == Role::kAuth) return fmt::format("{}{}/auth", kScheme, peer.cluster);
  return fmt::format("{}{}/{}/{}", kScheme, peer.cluster, role_name(peer.role), peer.id);
}

std::string describe(const Peer& peer) {
  if (peer.role == Role::kAuth) return "auth";
  if (peer.name.empty()) return fmt::format("{} {}", role_name(peer.role), quoted_if_needed(peer.id));
  return fmt::format("{} {} ({})", role_name(peer.role), quoted_if_needed(peer.name), peer.id);
}

Result<Peer> peer_of(X509* certificate) {
  const AlternativeNames names = alternative_names(certificate);
  if (names.uris.size() != 1)
    return fail(Errc::kInvalid, fmt::format("certificate with {} URIs, expected one cairn:// URI", names.uris.size()));
  Result<Peer> peer = parse_uri(names.uris.front());
  if (!peer) return peer;
  if (!names.dns.empty()) peer->name = names.dns.front();
  peer->spki_sha256 = spki_sha256(certificate);
  return peer;
}

Result<X509Certificate> parse_certificate(std::string_view pem) {
  if (pem.empty()) return fail(Errc::kInvalid, "a PEM certificate is missing");
  std::unique_ptr<BIO, FreeWith<BIO_free>> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail(Errc::kInvalid, fmt::format("not a PEM certificate: {}", openssl_error()));
  return certificate;
}

std::string spki_sha256(X509* certificate) {
  unsigned char* der = nullptr;
  const int der_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (der_bytes <= 0) return {};
  std::string digest = sha256({reinterpret_cast<const char*>(der), static_cast<size_t>(der_bytes)});
  OPENSSL_free(der);
  return digest;
}

std::string ca_pin_of(X509* certificate) { return "sha256:" + to_hex(spki_sha256(certificate)); }

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown OpenSSL error";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:x}", code);
}

}  // namespace cairn::tunnel
