#include "tunnel/identity.h"

#include <ctime>

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "base/file.h"

namespace cairn::tunnel {
namespace {

constexpr size_t kMaxPemBytes = 64 * 1024;
constexpr const char* kIdentityFile = "identity.pem";
constexpr const char* kHostCaFile = "host_ca.pem";
constexpr const char* kUserCaFile = "user_ca.pem";
constexpr const char* kSshUserCaFile = "ssh_user_ca.pub";

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;

Result<int64_t> seconds_of(const ASN1_TIME* time) {
  tm broken{};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return fail(Errc::kInvalid, "certificate with an unreadable validity");
  return static_cast<int64_t>(::timegm(&broken));
}

Result<EvpPkey> parse_private_key(std::string_view pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EvpPkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) return fail(Errc::kInvalid, fmt::format("not a PEM private key: {}", openssl_error()));
  return key;
}

}  // namespace

Result<KeyPair> generate_tls_key() {
  KeyPair pair;
  pair.key.reset(EVP_EC_gen("P-256"));
  if (!pair.key) return fail(Errc::kInternal, fmt::format("generate a P-256 key: {}", openssl_error()));
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), pair.key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Errc::kInternal, fmt::format("write a private key: {}", openssl_error()));
  char* text = nullptr;
  const long text_bytes = BIO_get_mem_data(bio.get(), &text);
  pair.private_pem.assign(text, static_cast<size_t>(text_bytes));
  unsigned char* der = nullptr;
  const int der_bytes = i2d_PUBKEY(pair.key.get(), &der);
  if (der_bytes <= 0) return fail(Errc::kInternal, fmt::format("write a public key: {}", openssl_error()));
  pair.public_der.assign(reinterpret_cast<const char*>(der), static_cast<size_t>(der_bytes));
  OPENSSL_free(der);
  return pair;
}

Result<Identity> make_identity(std::string private_pem, std::string certificate_pem,
                               enroll::v1::Authorities authorities) {
  Result<X509Certificate> certificate = parse_certificate(certificate_pem);
  if (!certificate) return fail(certificate, "identity");
  Result<EvpPkey> key = parse_private_key(private_pem);
  if (!key) return fail(key, "identity");
  if (X509_check_private_key(certificate->get(), key->get()) != 1)
    return fail(Errc::kInvalid, "identity: key and certificate do not belong together");
  Result<X509Certificate> host_ca = parse_certificate(authorities.host_ca());
  if (!host_ca) return fail(host_ca, "identity: host authority");
  Result<X509Certificate> user_ca = parse_certificate(authorities.user_ca());
  if (!user_ca) return fail(user_ca, "identity: user authority");
  Result<Peer> self = peer_of(certificate->get());
  if (!self) return fail(self, "identity");
  const Result<int64_t> not_before = seconds_of(X509_get0_notBefore(certificate->get()));
  const Result<int64_t> not_after = seconds_of(X509_get0_notAfter(certificate->get()));
  if (!not_before) return fail(not_before, "identity");
  if (!not_after) return fail(not_after, "identity");
  auto parts = std::make_shared<const IdentityParts>(std::move(*key), std::move(*certificate), std::move(*host_ca),
                                                     std::move(*user_ca));
  return Identity{.private_pem = std::move(private_pem),
                  .certificate_pem = std::move(certificate_pem),
                  .authorities = std::move(authorities),
                  .parts = std::move(parts),
                  .self = std::move(*self),
                  .not_before_s = *not_before,
                  .not_after_s = *not_after};
}

Result<void> store_identity(const std::filesystem::path& directory, const Identity& identity) {
  std::string ssh_user_ca;
  for (const std::string& line : identity.authorities.ssh_user_ca()) ssh_user_ca += line + "\n";
  const std::pair<const char*, std::string> files[] = {
      {kHostCaFile, identity.authorities.host_ca()},
      {kUserCaFile, identity.authorities.user_ca()},
      {kSshUserCaFile, ssh_user_ca},
      {kIdentityFile, identity.private_pem + identity.certificate_pem},
  };
  for (const auto& [name, contents] : files) {
    if (Result<void> written = write_file_atomically(directory / name, contents, 0600); !written)
      return fail(written, "store identity");
  }
  return {};
}

Result<Identity> load_identity(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kIdentityFile;
  const Result<std::string> pem = read_private_file(file, kMaxPemBytes);
  if (!pem) return fail(pem, "identity");
  const size_t certificate_at = pem->find("-----BEGIN CERTIFICATE-----");
  if (certificate_at == std::string::npos)
    return fail(Errc::kInvalid, fmt::format("{} holds no certificate; remove it and enrol anew", file.string()));
  enroll::v1::Authorities authorities;
  Result<std::string> host_ca = read_file(directory / kHostCaFile, kMaxPemBytes);
  if (!host_ca) return fail(host_ca, "identity");
  Result<std::string> user_ca = read_file(directory / kUserCaFile, kMaxPemBytes);
  if (!user_ca) return fail(user_ca, "identity");
  const Result<std::string> ssh_user_ca = read_file(directory / kSshUserCaFile, kMaxPemBytes);
  if (!ssh_user_ca) return fail(ssh_user_ca, "identity");
  authorities.set_host_ca(std::move(*host_ca));
  authorities.set_user_ca(std::move(*user_ca));
  std::string_view rest = *ssh_user_ca;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty()) authorities.add_ssh_user_ca(std::string(line));
  }
  Result<Identity> identity =
      make_identity(pem->substr(0, certificate_at), pem->substr(certificate_at), std::move(authorities));
  if (!identity) return fail(identity, file.string());
  return identity;
}

Result<void> forget_identity(const std::filesystem::path& directory) {
  for (const char* name : {kIdentityFile, kHostCaFile, kUserCaFile, kSshUserCaFile}) {
    std::error_code error;
    std::filesystem::remove(directory / name, error);
    if (error) return fail(error, fmt::format("remove {}: {}", (directory / name).string(), error.message()));
  }
  return {};
}

}  // namespace cairn::tunnel
