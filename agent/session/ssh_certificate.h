#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn::agent {

// An OpenSSH certificate, taken apart and not yet believed. Format: PROTOCOL.certkeys of OpenSSH.
struct SshCertificate {
  struct Option {
    std::string name;
    std::string value;  // the string inside its data; empty when there is none
  };

  std::string type;      // "ssh-ed25519-cert-v01@openssh.com"
  std::string key_blob;  // the certified public key, as a plain key
  uint64_t serial = 0;
  uint32_t kind = 0;  // kUserKind or kHostKind
  std::string key_id;
  std::vector<std::string> principals;
  uint64_t valid_after_s = 0;   // seconds since the epoch, inclusive
  uint64_t valid_before_s = 0;  // exclusive; 2^64-1 = for ever
  std::vector<Option> critical_options;
  std::vector<Option> extensions;
  std::string authority_blob;  // the public key of the authority that signed
  std::string signature_blob;
  std::string signed_bytes;  // what the signature covers

  bool has_extension(std::string_view name) const;
};

constexpr uint32_t kUserKind = 1;
constexpr uint32_t kHostKind = 2;
constexpr size_t kMaxCertificateBytes = 16384;
constexpr size_t kMaxPrincipals = 256;  // as OpenSSH
constexpr size_t kMaxCertificateOptions = 64;

// True for a key type that names a certificate, of a kind we accept or not.
bool is_certificate_type(std::string_view type);

// Reads a certificate of a key of the types of ssh_signature.h. The signature is not verified, the terms are not
// judged.
//   fails  kUnsupported: not a certificate, or of a key type that is not accepted. kInvalid, kTruncated: malformed,
//          also when an option appears twice. kTooLarge
Result<SshCertificate> parse_ssh_certificate(std::string_view blob);

}  // namespace cairn::agent
