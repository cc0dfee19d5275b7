#include "cli/home/ssh_key.h"

#include <memory>

#include <libssh/libssh.h>
#include <openssl/crypto.h>

namespace cairn::cli {
namespace {

struct FreeKey {
  void operator()(ssh_key key) const noexcept { ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;
struct FreeText {
  void operator()(char* text) const noexcept { ssh_string_free_char(text); }
};
using Text = std::unique_ptr<char, FreeText>;

}  // namespace

Result<SshKey> generate_ssh_key() {
  ssh_key made = nullptr;
  if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &made) != SSH_OK)
    return fail(Errc::kInternal, "libssh made no Ed25519 key");
  const Key key(made);
  char* exported = nullptr;
  if (ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &exported) != SSH_OK)
    return fail(Errc::kInternal, "libssh did not export the private key");
  const Text private_pem(exported);
  char* encoded = nullptr;
  if (ssh_pki_export_pubkey_base64(key.get(), &encoded) != SSH_OK)
    return fail(Errc::kInternal, "libssh did not export the public key");
  const Text public_base64(encoded);
  SshKey result{.private_pem = private_pem.get(), .public_line = std::string("ssh-ed25519 ") + public_base64.get()};
  OPENSSL_cleanse(private_pem.get(), result.private_pem.size());
  return result;
}

}  // namespace cairn::cli
