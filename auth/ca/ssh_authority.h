#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/ca/openssl_types.h"
#include "auth/ca/ssh_certificate.h"
#include "base/result.h"
#include "base/ssh_wire.h"

namespace cairn::auth {

// The Ed25519 authority that signs people's OpenSSH certificates. Immutable; any thread.
class SshAuthority {
 public:
  // Reads `path`, OpenSSH format, or makes it with its .pub beside it.
  static Result<SshAuthority> open(const std::filesystem::path& path, const std::string& comment);

  // The certificate as one line, "ssh-ed25519-cert-v01@openssh.com AAAA…".
  //   fails  as check_subject_key
  Result<std::string> issue(const SshPublicKey& subject, const SshCertificateOrder& order) const;

  // A user certificate that this authority has signed and that is valid now. Auth asks although the node has checked
  // it too: a node that lies must not be able to name people who are not there.
  //   fails  kDenied, kInvalid
  Result<SshCertificateView> verify(std::string_view blob, int64_t now_wall_s) const;

  const std::string& public_line() const { return public_line_; }

 private:
  SshAuthority(Key key, std::string blob, std::string public_line)
      : key_(std::move(key)), blob_(std::move(blob)), public_line_(std::move(public_line)) {}

  Key key_;
  std::string blob_;
  std::string public_line_;
};

}  // namespace cairn::auth
