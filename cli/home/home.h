#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace cairn::cli {

// What every verb says when there is no identity.
inline constexpr const char* kNotLoggedIn = "not logged in; run: cairn login --proxy HOST:PORT --user NAME";

// What login remembers for the next time. No secrets: logout keeps it.
struct Profile {
  std::string proxy;  // "host:port"
  std::string cluster;
  std::string user;
  std::string ca_pin;  // "sha256:…" of the host CA, once it is known
};

// The folder of one person on this host, 0700: where cairn keeps its profile and keys.
//   profile.yaml                  Profile
//   identity.pem and the authorities beside it   TLS identity (tunnel/identity.h)
//   id_ed25519, id_ed25519-cert.pub              SSH key and certificate, as ssh(1) reads them
//   ssh_config                                   written by `cairn ssh`
//   derived/                                     a cache: what was derived from recordings here
class Home {
 public:
  explicit Home(std::filesystem::path root) : root_(std::move(root)) {}
  // `named` (--home), else $CAIRN_HOME, else $HOME/.cairn; always absolute. Nothing is made.
  static Result<Home> find(const std::filesystem::path& named);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path profile_file() const { return root_ / "profile.yaml"; }
  std::filesystem::path ssh_key() const { return root_ / "id_ed25519"; }
  std::filesystem::path ssh_certificate() const { return root_ / "id_ed25519-cert.pub"; }
  std::filesystem::path ssh_config() const { return root_ / "ssh_config"; }
  std::filesystem::path derived() const { return root_ / "derived"; }
  // Someone has logged in and not out; whether it still counts is another question.
  bool has_identity() const;

  // Makes the folder, and takes from others what rights an older one gave them.
  Result<void> create() const;
  // Empty while nobody has logged in here. kInvalid: names file, line and key.
  Result<Profile> load_profile() const;
  Result<void> store_profile(const Profile& profile) const;
  // Removes keys and certificates; the profile stays. Returns whether there were any.
  Result<bool> forget_keys() const;

 private:
  std::filesystem::path root_;
};

}  // namespace cairn::cli
