#include "auth/ca/ssh_authority.h"

#include <system_error>

#include <fmt/format.h>

#include "auth/ca/pem.h"
#include "auth/ca/ssh_key_file.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxKeyFileBytes = 64 * 1024;
constexpr size_t kSignatureBytes = 64;
constexpr uint32_t kUserCertificate = 1;

Result<Key> read_key(const std::filesystem::path& path) {
  Result<std::string> text = read_private_file(path, kMaxKeyFileBytes);
  if (!text) return fail(text);
  Result<Key> key = private_key_from_openssh(*text);
  OPENSSL_cleanse(text->data(), text->size());
  if (!key) return fail(key, path.string());
  return key;
}

Result<Key> make_key(const std::filesystem::path& path, const std::string& comment) {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return fail(Errc::kInternal, fmt::format("make an Ed25519 key: {}", tunnel::openssl_error()));
  Result<std::string> text = openssh_private_key(key.get(), comment);
  if (!text) return fail(text);
  const Result<void> written = write_file_atomically(path, *text, 0600);
  OPENSSL_cleanse(text->data(), text->size());
  if (!written) return fail(written);
  return key;
}

}  // namespace

Result<SshAuthority> SshAuthority::open(const std::filesystem::path& path, const std::string& comment) {
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (error) return fail(error, fmt::format("look for {}: {}", path.string(), error.message()));
  Result<Key> key = is_there ? read_key(path) : make_key(path, comment);
  if (!key) return fail(key);
  Result<std::string> blob = ssh_ed25519_blob(key->get());
  if (!blob) return fail(blob);
  std::string line = ssh_public_key_line({.type = "ssh-ed25519", .blob = *blob, .comment = comment});
  // For people and their tools; we ourselves derive it from the key.
  const std::filesystem::path public_path = path.string() + ".pub";
  if (!std::filesystem::exists(public_path, error)) {
    if (Result<void> written = write_file_atomically(public_path, line + '\n', 0644); !written) return fail(written);
  }
  return SshAuthority(std::move(*key), std::move(*blob), std::move(line));
}

Result<std::string> SshAuthority::issue(const SshPublicKey& subject, const SshCertificateOrder& order) const {
  const Result<std::string> unsigned_part = certificate_to_sign(subject, order, blob_);
  if (!unsigned_part) return fail(unsigned_part);
  const SigningContext context(EVP_MD_CTX_new());
  std::string bytes(kSignatureBytes, '\0');
  size_t size = bytes.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                     reinterpret_cast<const unsigned char*>(unsigned_part->data()), unsigned_part->size()) != 1)
    return fail(Errc::kInternal, fmt::format("sign an SSH certificate: {}", tunnel::openssl_error()));
  SshWriter signature;
  signature.put_string("ssh-ed25519");
  signature.put_string(bytes);
  SshWriter certificate;
  certificate.put_raw(*unsigned_part);
  certificate.put_string(signature.bytes());
  Result<SshPublicKey> key = ssh_public_key_from_blob(certificate.bytes());
  if (!key) return fail(key);
  return ssh_public_key_line(*key);
}

Result<SshCertificateView> SshAuthority::verify(std::string_view blob, int64_t now_wall_s) const {
  Result<SshCertificateView> view = parse_ssh_certificate(blob);
  if (!view) return view;
  if (view->authority_blob != blob_)
    return fail(Errc::kDenied, "the SSH certificate is signed by an authority that is not this cluster's");
  const SigningContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(view->signature.data()),
                       view->signature.size(), reinterpret_cast<const unsigned char*>(view->signed_bytes.data()),
                       view->signed_bytes.size()) != 1) {
    tunnel::openssl_error();
    return fail(Errc::kDenied, "the SSH certificate's signature is wrong");
  }
  if (view->type != kUserCertificate) return fail(Errc::kDenied, "the SSH certificate is not a user certificate");
  const auto now = static_cast<uint64_t>(now_wall_s);
  if (now < view->valid_after_wall_s) return fail(Errc::kDenied, "the SSH certificate is not yet valid");
  if (now >= view->valid_before_wall_s) {
    return fail(Errc::kDenied, fmt::format("the SSH certificate expired at {}; run \"cairn login\"",
                                           format_utc(static_cast<int64_t>(view->valid_before_wall_s))));
  }
  return view;
}

}  // namespace cairn::auth
