#include "agent/enroll/ssh_host_key.h"

#include <memory>
#include <system_error>

#include <fmt/format.h>
#include <libssh/libssh.h>
#include <openssl/crypto.h>

#include "base/file.h"

namespace cairn::agent {
namespace {

struct FreeKey {
  void operator()(ssh_key key) const noexcept { ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;

struct FreeText {
  void operator()(char* text) const noexcept { ssh_string_free_char(text); }
};
using Text = std::unique_ptr<char, FreeText>;

Result<std::string> public_line(const Key& key) {
  char* encoded = nullptr;
  if (ssh_pki_export_pubkey_base64(key.get(), &encoded) != SSH_OK)
    return fail(Errc::kInternal, "libssh did not export the SSH host key's public half");
  const Text base64(encoded);
  return std::string("ssh-ed25519 ") + base64.get();
}

Result<Key> make_key(const std::filesystem::path& path) {
  ssh_key made = nullptr;
  if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &made) != SSH_OK)
    return fail(Errc::kInternal, "libssh made no Ed25519 key");
  Key key(made);
  char* exported = nullptr;
  if (ssh_pki_export_privkey_base64(key.get(), nullptr, nullptr, nullptr, &exported) != SSH_OK)
    return fail(Errc::kInternal, "libssh did not export the SSH host key");
  const Text text(exported);
  const std::string_view private_pem(text.get());
  const Result<void> written = write_file_atomically(path, private_pem, 0600);
  OPENSSL_cleanse(text.get(), private_pem.size());
  if (!written) return fail(written, "store the SSH host key");
  return key;
}

Result<Key> load_key(const std::filesystem::path& path) {
  ssh_key read = nullptr;
  if (ssh_pki_import_privkey_file(path.c_str(), nullptr, nullptr, nullptr, &read) != SSH_OK) {
    return fail(Errc::kCorrupt,
                fmt::format("{} holds no readable SSH private key; restore it, or remove it to get a new one (people "
                            "will see a changed host key)",
                            path.string()));
  }
  Key key(read);
  if (ssh_key_type(key.get()) != SSH_KEYTYPE_ED25519)
    return fail(Errc::kCorrupt, fmt::format("{} is not an Ed25519 key", path.string()));
  return key;
}

}  // namespace

std::filesystem::path ssh_host_key_path(const std::filesystem::path& data_dir) {
  return data_dir / "ssh_host_ed25519_key";
}

Result<std::string> ensure_ssh_host_key(const std::filesystem::path& data_dir) {
  const std::filesystem::path path = ssh_host_key_path(data_dir);
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (error) return fail(error, fmt::format("look for {}: {}", path.string(), error.message()));
  const Result<Key> key = is_there ? load_key(path) : make_key(path);
  if (!key) return fail(key);
  return public_line(*key);
}

}  // namespace cairn::agent
