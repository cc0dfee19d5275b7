#include "auth/ca/authorities.h"

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::auth {

Result<Authorities> Authorities::open(const std::filesystem::path& folder, const std::string& cluster,
                                      int64_t now_wall_s) {
  if (Result<void> made = make_private_directory(folder); !made) return fail(made);
  Result<X509Authority> hosts =
      X509Authority::open(folder, "host_ca", fmt::format("{} host authority", cluster), now_wall_s);
  if (!hosts) return fail(hosts, "host authority");
  Result<X509Authority> users =
      X509Authority::open(folder, "user_ca", fmt::format("{} user authority", cluster), now_wall_s);
  if (!users) return fail(users, "user authority");
  Result<SshAuthority> ssh_users =
      SshAuthority::open(folder / "ssh_user_ca", fmt::format("{} user authority", cluster));
  if (!ssh_users) return fail(ssh_users, "SSH user authority");
  std::string pin = hosts->pin();
  return Authorities(std::move(*hosts), std::move(*users), std::move(*ssh_users), std::move(pin));
}

enroll::v1::Authorities Authorities::public_parts() const {
  enroll::v1::Authorities parts;
  parts.set_host_ca(hosts_.pem());
  parts.set_user_ca(users_.pem());
  parts.add_ssh_user_ca(ssh_users_.public_line());
  return parts;
}

}  // namespace cairn::auth
