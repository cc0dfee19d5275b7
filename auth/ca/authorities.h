#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "auth/ca/ssh_authority.h"
#include "auth/ca/x509_authority.h"
#include "base/result.h"
#include "proto/enroll.pb.h"

namespace cairn::auth {

// The cluster's three authorities, kept in one folder (0700, keys 0600): host CA, user CA, SSH user CA. Immutable; any
// thread. Whoever reads this folder owns the cluster: it belongs in the backup, encrypted.
class Authorities {
 public:
  // Reads them, or makes what is missing on first start.
  static Result<Authorities> open(const std::filesystem::path& folder, const std::string& cluster, int64_t now_wall_s);

  const X509Authority& hosts() const { return hosts_; }
  const X509Authority& users() const { return users_; }
  const SshAuthority& ssh_users() const { return ssh_users_; }

  // The public parts, as hosts and people get them.
  enroll::v1::Authorities public_parts() const;
  const std::string& ca_pin() const { return ca_pin_; }  // of the host CA

 private:
  Authorities(X509Authority hosts, X509Authority users, SshAuthority ssh_users, std::string ca_pin)
      : hosts_(std::move(hosts)),
        users_(std::move(users)),
        ssh_users_(std::move(ssh_users)),
        ca_pin_(std::move(ca_pin)) {}

  X509Authority hosts_;
  X509Authority users_;
  SshAuthority ssh_users_;
  std::string ca_pin_;
};

}  // namespace cairn::auth
