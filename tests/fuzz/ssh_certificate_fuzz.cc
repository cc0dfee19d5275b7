// Certificates come from whoever reaches the proxy. First byte: what is done with the rest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/session/certificate_check.h"
#include "agent/session/ssh_certificate.h"
#include "agent/session/ssh_signature.h"
#include "tunnel/networks.h"

namespace {

using cairn::agent::CertificateSituation;
using cairn::agent::SshCertificate;

// Every certificate is judged as if its own signer were our authority: so that its signature is looked at, too.
void judge(std::string_view blob) {
  const cairn::Result<SshCertificate> certificate = cairn::agent::parse_ssh_certificate(blob);
  CertificateSituation situation;
  situation.login = "deploy";
  situation.client_address = "192.0.2.7:5022";
  situation.now_s = 1'795'000'000;
  if (certificate) {
    if (certificate->principals.size() > cairn::agent::kMaxPrincipals) std::abort();
    situation.authorities = {certificate->authority_blob};
  }
  const auto terms = cairn::agent::check_certificate(blob, situation);
  if (terms && !certificate) std::abort();
  if (!terms && terms.error().message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t half = rest.size() / 2;
  switch (data[0] % 4) {
    case 0: judge(rest); break;
    case 1: (void)cairn::agent::check_ssh_key(rest); break;
    case 2: (void)cairn::agent::verify_ssh_signature(rest.substr(0, half), rest.substr(half), "message"); break;
    default: (void)cairn::tunnel::is_in_networks(rest.substr(0, half), rest.substr(half)); break;
  }
  return 0;
}
