#include "tunnel/tls_refusal.h"

#include <ctime>
#include <string_view>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "tunnel/peer.h"

namespace cairn::tunnel {
namespace {

int refusal_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

std::string time_text(const ASN1_TIME* time) {
  tm broken{};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return "an unreadable time";
  return format_utc(static_cast<int64_t>(::timegm(&broken)));
}

// "node "web-1", valid from … to …": ours, as we presented it.
std::string own_certificate(SSL* tls) {
  X509* certificate = SSL_get_certificate(tls);
  if (certificate == nullptr) return "we presented none";
  const Result<Peer> self = peer_of(certificate);
  return fmt::format("ours is that of {}, valid from {} to {}", self ? describe(*self) : "nobody",
                     time_text(X509_get0_notBefore(certificate)), time_text(X509_get0_notAfter(certificate)));
}

// What an alert means about our certificate; empty when it is about something else.
std::string_view certificate_fault(int alert) {
  switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED: return "it has expired";
    case SSL_AD_BAD_CERTIFICATE: return "it is not valid yet, or damaged";
    case SSL_AD_UNKNOWN_CA: return "another authority than this cluster's signed it";
    case SSL_AD_UNSUPPORTED_CERTIFICATE: return "it is of the wrong role for this connection";
    case SSL_AD_CERTIFICATE_REVOKED: return "it was revoked";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "it is not accepted";
    case SSL_AD_ACCESS_DENIED: return "it may not be used here";
    case SSL_AD_DECRYPT_ERROR: return "its signature is wrong";
    case TLS13_AD_CERTIFICATE_REQUIRED: return "one is required here";
    default: return {};
  }
}

}  // namespace

void keep_refusal_in(SSL* tls, std::string* refusal) { SSL_set_ex_data(tls, refusal_index(), refusal); }

std::string* refusal_of(SSL* tls) { return static_cast<std::string*>(SSL_get_ex_data(tls, refusal_index())); }

std::string refusal_sentence(X509* certificate, int x509_error) {
  const Result<Peer> peer = peer_of(certificate);
  if (!peer) return peer.error().message;
  const std::string whose = fmt::format("the certificate of {}", describe(*peer));
  switch (x509_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} expired at {}", whose, time_text(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is not valid before {}; are both clocks right?", whose,
                         time_text(X509_get0_notBefore(certificate)));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return fmt::format("{} was signed by another authority than this cluster's for its role", whose);
    default: return fmt::format("{}: {}", whose, X509_verify_cert_error_string(x509_error));
  }
}

std::optional<Error> refusal_by_peer(SSL* tls, unsigned long openssl_error, const std::string& other_side) {
  if (ERR_GET_LIB(openssl_error) != ERR_LIB_SSL) return std::nullopt;
  const int reason = ERR_GET_REASON(openssl_error);
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return Error{Errc::kUnauthenticated, fmt::format("{} presented no certificate", other_side)};
  // OpenSSL gives an alert that it received as the reason 1000 + its number.
  if (reason < SSL_AD_REASON_OFFSET || reason > SSL_AD_REASON_OFFSET + 255) return std::nullopt;
  const int alert = reason - SSL_AD_REASON_OFFSET;
  if (const std::string_view fault = certificate_fault(alert); !fault.empty()) {
    return Error{Errc::kUnauthenticated,
                 fmt::format("{} refused our certificate: {} ({})", other_side, fault, own_certificate(tls))};
  }
  if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
    return Error{Errc::kUnsupported, fmt::format("{} does not speak this protocol there", other_side)};
  return Error{Errc::kUnavailable,
               fmt::format("{} refused the connection: {}", other_side, SSL_alert_desc_string_long(alert))};
}

}  // namespace cairn::tunnel
