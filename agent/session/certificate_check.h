#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::agent {

// Against what a person's certificate is judged.
struct CertificateSituation {
  std::vector<std::string> authorities;  // blobs of the keys that sign people's certificates
  std::string login;                     // the account that is asked for
  std::string client_address;            // "ip:port" or "ip"
  int64_t now_s = 0;                     // seconds since the epoch
};

// What a good certificate grants.
struct CertificateTerms {
  std::string key_id;
  uint64_t serial = 0;
  std::optional<std::string> forced_command;  // runs instead of whatever is asked for
  bool may_have_pty = false;                  // the extension permit-pty
  bool may_forward_ports = false;             // permit-port-forwarding
  bool may_forward_agent = false;             // permit-agent-forwarding
  bool may_forward_x11 = false;               // permit-X11-forwarding
};

// The node's own verdict on the blob that a client offers, before auth is asked: authority, signature, kind, validity,
// principal, critical options. Rules: sshd(8) and PROTOCOL.certkeys of OpenSSH; a certificate without principals is
// refused.
//   fails  with the sentence for the person and the log. kUnauthenticated: not a certificate, malformed, or signed by
//          nobody we know; kExpired: out of its time; kDenied: good, but not for this
Result<CertificateTerms> check_certificate(std::string_view blob, const CertificateSituation& situation);

}  // namespace cairn::agent
