#include "agent/session/certificate_check.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tunnel/networks.h"
#include "agent/session/ssh_certificate.h"
#include "agent/session/ssh_signature.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ssh_wire.h"

namespace cairn::agent {
namespace {

constexpr std::string_view kRenew = "run \"cairn login\"";
constexpr uint64_t kForEver = std::numeric_limits<uint64_t>::max();

std::string time_text(uint64_t wall_s) {
  // Beyond the year 9999 a date tells nobody anything.
  return wall_s > 253'402'300'799 ? "the end of days" : format_utc(static_cast<int64_t>(wall_s));
}

std::string span_text(uint64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86'400);
}

Result<void> check_authority(const SshCertificate& certificate, const CertificateSituation& situation) {
  if (std::ranges::find(situation.authorities, certificate.authority_blob) == situation.authorities.end()) {
    return fail(Errc::kUnauthenticated,
                fmt::format("the certificate was signed by an authority that this cluster does not know ({}); {}",
                            ssh_fingerprint(certificate.authority_blob), kRenew));
  }
  const Result<void> verified =
      verify_ssh_signature(certificate.authority_blob, certificate.signature_blob, certificate.signed_bytes);
  if (verified) return {};
  return fail(Errc::kUnauthenticated,
              fmt::format("the authority's signature on the certificate does not hold: {}", verified.error().message));
}

Result<void> check_validity(const SshCertificate& certificate, int64_t now_s) {
  const auto now = static_cast<uint64_t>(std::max<int64_t>(now_s, 0));
  if (now < certificate.valid_after_s) {
    return fail(Errc::kExpired,
                fmt::format("the certificate is not yet valid: it begins at {}, here it is {}; compare the "
                            "clocks",
                            time_text(certificate.valid_after_s), time_text(now)));
  }
  if (certificate.valid_before_s != kForEver && now >= certificate.valid_before_s) {
    return fail(Errc::kExpired,
                fmt::format("the certificate expired {} ago, at {}; {}", span_text(now - certificate.valid_before_s),
                            time_text(certificate.valid_before_s), kRenew));
  }
  return {};
}

Result<void> check_principal(const SshCertificate& certificate, const std::string& login) {
  if (certificate.principals.empty()) {
    return fail(Errc::kDenied,
                fmt::format("the certificate lists no principals, so it is good for no login; {}", kRenew));
  }
  if (std::ranges::find(certificate.principals, login) != certificate.principals.end()) return {};
  std::vector<std::string> names;
  for (const std::string& principal : certificate.principals) names.push_back(quoted_if_needed(principal));
  return fail(Errc::kDenied, fmt::format("the certificate does not list the principal {}; it is good for: {}",
                                         quoted_if_needed(login), fmt::join(names, ", ")));
}

Result<void> check_source_address(const std::string& networks, const CertificateSituation& situation) {
  const std::string_view host = tunnel::host_of(situation.client_address);
  const Result<bool> inside = tunnel::is_in_networks(host, networks);
  if (!inside) return fail(Errc::kDenied, fmt::format("the certificate's source-address: {}", inside.error().message));
  if (*inside) return {};
  return fail(Errc::kDenied, fmt::format("the certificate may be used from {} only (source-address), not from {}",
                                         quoted_if_needed(networks), quoted_if_needed(host)));
}

Result<void> check_critical_options(const SshCertificate& certificate, const CertificateSituation& situation) {
  for (const SshCertificate::Option& option : certificate.critical_options) {
    if (option.name == "force-command") {
      // What follows a zero byte would be recorded and not run.
      if (option.value.empty() || option.value.find('\0') != std::string::npos)
        return fail(Errc::kDenied, "the certificate forces a command that cannot be run (force-command)");
    } else if (option.name == "source-address") {
      if (Result<void> inside = check_source_address(option.value, situation); !inside) return inside;
    } else {
      return fail(Errc::kDenied,
                  fmt::format("the certificate has the critical option {}, which this node does not know",
                              quoted_if_needed(option.name)));
    }
  }
  return {};
}

CertificateTerms terms_of(SshCertificate certificate) {
  CertificateTerms terms{.key_id = std::move(certificate.key_id),
                         .serial = certificate.serial,
                         .forced_command = {},
                         .may_have_pty = certificate.has_extension("permit-pty"),
                         .may_forward_ports = certificate.has_extension("permit-port-forwarding"),
                         .may_forward_agent = certificate.has_extension("permit-agent-forwarding"),
                         .may_forward_x11 = certificate.has_extension("permit-X11-forwarding")};
  for (SshCertificate::Option& option : certificate.critical_options) {
    if (option.name == "force-command") terms.forced_command = std::move(option.value);
  }
  return terms;
}

}  // namespace

Result<CertificateTerms> check_certificate(std::string_view blob, const CertificateSituation& situation) {
  Result<SshCertificate> certificate = parse_ssh_certificate(blob);
  if (!certificate) {
    return fail(Errc::kUnauthenticated,
                fmt::format("this node lets in nobody without a certificate of its cluster, and {}; {}",
                            certificate.error().message, kRenew));
  }
  if (Result<void> signed_by_us = check_authority(*certificate, situation); !signed_by_us) return fail(signed_by_us);
  if (certificate->kind != kUserKind) return fail(Errc::kDenied, "it is a host certificate, not a user certificate");
  if (Result<void> valid = check_validity(*certificate, situation.now_s); !valid) return fail(valid);
  if (Result<void> named = check_principal(*certificate, situation.login); !named) return fail(named);
  if (Result<void> met = check_critical_options(*certificate, situation); !met) return fail(met);
  return terms_of(std::move(*certificate));
}

}  // namespace cairn::agent
