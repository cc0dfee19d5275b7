#include "agent/session/ssh_certificate.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/session/ssh_signature.h"
#include "base/log.h"
#include "base/ssh_wire.h"

namespace cairn::agent {
namespace {

constexpr std::string_view kCertificateSuffix = "-cert-v01@openssh.com";

struct KeyShape {
  std::string_view type;  // of the plain key
  int fields;             // strings and numbers that follow the type in its blob
};
constexpr std::array kKeyShapes = {
    KeyShape{"ssh-ed25519", 1},
    KeyShape{"ecdsa-sha2-nistp256", 2},
    KeyShape{"ecdsa-sha2-nistp384", 2},
    KeyShape{"ecdsa-sha2-nistp521", 2},
    KeyShape{"ssh-rsa", 2},
};

Result<KeyShape> shape_of(std::string_view type) {
  if (!is_certificate_type(type))
    return fail(Errc::kUnsupported,
                fmt::format("{} is a plain key, not a certificate", quoted_if_needed(type.substr(0, 64))));
  const std::string_view plain = type.substr(0, type.size() - kCertificateSuffix.size());
  for (const KeyShape& shape : kKeyShapes) {
    if (shape.type == plain) return shape;
  }
  return fail(Errc::kUnsupported,
              fmt::format("certificates of type {} are not accepted; use an Ed25519, ECDSA or RSA key",
                          quoted_if_needed(type.substr(0, 64))));
}

// The plain key's blob: its type, then the fields as they stand in the certificate.
Result<std::string> read_key(SshReader& reader, const KeyShape& shape) {
  SshWriter key;
  key.put_string(shape.type);
  for (int field = 0; field < shape.fields; ++field) {
    const Result<std::string_view> bytes = reader.string();
    if (!bytes) return fail(bytes, "public key");
    key.put_string(*bytes);
  }
  if (Result<void> checked = check_ssh_key(key.bytes()); !checked) return fail(checked, "public key");
  return key.bytes();
}

Result<std::vector<std::string>> read_principals(std::string_view list) {
  std::vector<std::string> principals;
  SshReader reader(list);
  while (!reader.empty()) {
    const Result<std::string_view> name = reader.string();
    if (!name) return fail(name, "principals");
    if (principals.size() == kMaxPrincipals)
      return fail(Errc::kTooLarge, fmt::format("more than {} principals", kMaxPrincipals));
    principals.emplace_back(*name);
  }
  return principals;
}

Result<std::vector<SshCertificate::Option>> read_options(std::string_view list) {
  std::vector<SshCertificate::Option> options;
  SshReader reader(list);
  while (!reader.empty()) {
    const Result<std::string_view> name = reader.string();
    if (!name) return fail(name, "options");
    const Result<std::string_view> data = reader.string();
    if (!data) return fail(data, "options");
    if (options.size() == kMaxCertificateOptions)
      return fail(Errc::kTooLarge, fmt::format("more than {} options", kMaxCertificateOptions));
    if (std::ranges::any_of(options, [&](const auto& seen) { return seen.name == *name; }))
      return fail(Errc::kInvalid, fmt::format("option {} stands there twice", quoted_if_needed(*name)));
    SshCertificate::Option option{.name = std::string(*name), .value = {}};
    if (!data->empty()) {
      SshReader inner(*data);
      const Result<std::string_view> value = inner.string();
      if (!value) return fail(value, "option value");
      if (Result<void> finished = inner.finish(); !finished) return fail(finished, "option value");
      option.value = std::string(*value);
    }
    options.push_back(std::move(option));
  }
  return options;
}

// From the serial number to the extensions.
Result<void> read_terms(SshReader& reader, SshCertificate& certificate) {
  const Result<uint64_t> serial = reader.u64();
  if (!serial) return fail(serial, "serial");
  const Result<uint32_t> kind = reader.u32();
  if (!kind) return fail(kind, "kind");
  const Result<std::string_view> key_id = reader.string();
  if (!key_id) return fail(key_id, "key id");
  const Result<std::string_view> principals = reader.string();
  if (!principals) return fail(principals, "principals");
  const Result<uint64_t> valid_after = reader.u64();
  if (!valid_after) return fail(valid_after, "validity");
  const Result<uint64_t> valid_before = reader.u64();
  if (!valid_before) return fail(valid_before, "validity");
  const Result<std::string_view> critical = reader.string();
  if (!critical) return fail(critical, "critical options");
  const Result<std::string_view> extensions = reader.string();
  if (!extensions) return fail(extensions, "extensions");

  Result<std::vector<std::string>> names = read_principals(*principals);
  if (!names) return fail(names);
  Result<std::vector<SshCertificate::Option>> critical_options = read_options(*critical);
  if (!critical_options) return fail(critical_options, "critical options");
  Result<std::vector<SshCertificate::Option>> extension_options = read_options(*extensions);
  if (!extension_options) return fail(extension_options, "extensions");

  certificate.serial = *serial;
  certificate.kind = *kind;
  certificate.key_id = std::string(*key_id);
  certificate.principals = std::move(*names);
  certificate.valid_after_s = *valid_after;
  certificate.valid_before_s = *valid_before;
  certificate.critical_options = std::move(*critical_options);
  certificate.extensions = std::move(*extension_options);
  return {};
}

}  // namespace

bool SshCertificate::has_extension(std::string_view name) const {
  return std::ranges::any_of(extensions, [&](const Option& option) { return option.name == name; });
}

bool is_certificate_type(std::string_view type) { return type.ends_with(kCertificateSuffix); }

Result<SshCertificate> parse_ssh_certificate(std::string_view blob) {
  if (blob.size() > kMaxCertificateBytes)
    return fail(Errc::kTooLarge, fmt::format("certificate of {} bytes, limit {}", blob.size(), kMaxCertificateBytes));
  SshReader reader(blob);
  const Result<std::string_view> type = reader.string();
  if (!type) return fail(type, "certificate type");
  const Result<KeyShape> shape = shape_of(*type);
  if (!shape) return fail(shape);
  if (const Result<std::string_view> nonce = reader.string(); !nonce) return fail(nonce, "nonce");
  SshCertificate certificate;
  certificate.type = std::string(*type);
  Result<std::string> key = read_key(reader, *shape);
  if (!key) return fail(key);
  certificate.key_blob = std::move(*key);
  if (Result<void> read = read_terms(reader, certificate); !read) return fail(read);
  if (const Result<std::string_view> reserved = reader.string(); !reserved) return fail(reserved, "reserved");
  const Result<std::string_view> authority = reader.string();
  if (!authority) return fail(authority, "authority key");
  certificate.authority_blob = std::string(*authority);
  certificate.signed_bytes = std::string(blob.substr(0, reader.offset()));
  const Result<std::string_view> signature = reader.string();
  if (!signature) return fail(signature, "signature");
  certificate.signature_blob = std::string(*signature);
  if (Result<void> finished = reader.finish(); !finished) return fail(finished, "certificate");
  return certificate;
}

}  // namespace cairn::agent
