#include "auth/service/issuer.h"

#include <fmt/format.h>

#include "base/ssh_wire.h"
#include "tunnel/peer.h"

namespace cairn::auth {
namespace {

constexpr int64_t kLongestSessionS = int64_t{30} * 86'400;
constexpr int64_t kCosignerLifeS = int64_t{10} * 365 * 86'400;
constexpr int64_t kBackdateS = 60;  // clocks differ; X509Authority does the same
// What stands in the certificate of a person without logins: no account is called so, and an empty list would be valid
// for every account.
constexpr const char* kNoLogin = "-cairn-no-login";

}  // namespace

Result<std::string> Issuer::host_certificate(const HostRecord& host, const std::string& tls_public_key) const {
  const bool is_proxy = host.type == HostType::kProxy;
  tunnel::Peer peer;
  peer.role = is_proxy ? tunnel::Role::kProxy : tunnel::Role::kNode;
  peer.cluster = cluster_;
  peer.id = host.node.id();
  const int64_t now = clock_->wall_s();
  const CertificateOrder order{.uri = tunnel::role_uri(peer),
                               .dns = host.node.name(),
                               .common_name = host.node.name(),
                               .is_server = is_proxy,
                               .not_before_wall_s = now,
                               .not_after_wall_s = now + lifetimes_.host.count()};
  return authorities_->hosts().issue(tls_public_key, order);
}

Result<std::string> Issuer::recording_certificate(const std::string& session_id, const std::string& node_id,
                                                  const std::string& signing_key) const {
  const int64_t now = clock_->wall_s();
  const CertificateOrder order{.uri = "cairn://" + cluster_ + "/session/" + session_id,
                               .dns = {},
                               .common_name = session_id,
                               .unit = node_id,
                               .not_before_wall_s = now,
                               .not_after_wall_s = now + kLongestSessionS};
  return authorities_->hosts().issue_signer(signing_key, order);
}

Result<std::string> Issuer::cosigner_certificate(const std::string& signing_key) const {
  const int64_t now = clock_->wall_s();
  const CertificateOrder order{.uri = "cairn://" + cluster_ + "/log",
                               .dns = {},
                               .common_name = cluster_ + "/log",
                               .not_before_wall_s = now,
                               .not_after_wall_s = now + kCosignerLifeS};
  return authorities_->hosts().issue_signer(signing_key, order);
}

Result<enroll::v1::LoginResponse> Issuer::user_certificates(const enroll::v1::LoginRequest& request,
                                                            const std::vector<std::string>& logins) const {
  const int64_t most = lifetimes_.user.count();
  const int64_t ttl_s = request.ttl_s() == 0 ? most : std::min<int64_t>(request.ttl_s(), most);
  const int64_t now = clock_->wall_s();
  tunnel::Peer peer;
  peer.role = tunnel::Role::kUser;
  peer.cluster = cluster_;
  peer.id = request.user();
  const CertificateOrder order{.uri = tunnel::role_uri(peer),
                               .dns = {},
                               .common_name = request.user(),
                               .is_server = false,
                               .not_before_wall_s = now,
                               .not_after_wall_s = now + ttl_s};
  Result<std::string> certificate = authorities_->users().issue(request.tls_public_key(), order);
  if (!certificate) return fail(certificate);
  const Result<SshPublicKey> ssh_key = parse_ssh_public_key(request.ssh_public_key());
  if (!ssh_key) return fail(ssh_key);
  const SshCertificateOrder ssh_order{.key_id = request.user(),
                                      .principals = logins.empty() ? std::vector<std::string>{kNoLogin} : logins,
                                      .valid_after_wall_s = now - kBackdateS,
                                      .valid_before_wall_s = now + ttl_s};
  Result<std::string> ssh_certificate = authorities_->ssh_users().issue(*ssh_key, ssh_order);
  if (!ssh_certificate) return fail(ssh_certificate);

  enroll::v1::LoginResponse response;
  response.set_cluster(cluster_);
  response.set_certificate(std::move(*certificate));
  response.set_ssh_certificate(std::move(*ssh_certificate));
  *response.mutable_authorities() = authorities_->public_parts();
  response.set_expires_wall_s(now + ttl_s);
  return response;
}

Result<tunnel::Identity> Issuer::own_identity() const {
  Result<tunnel::KeyPair> key = tunnel::generate_tls_key();
  if (!key) return fail(key);
  tunnel::Peer peer;
  peer.role = tunnel::Role::kAuth;
  peer.cluster = cluster_;
  const int64_t now = clock_->wall_s();
  const CertificateOrder order{.uri = tunnel::role_uri(peer),
                               .dns = {},
                               .common_name = fmt::format("{} auth", cluster_),
                               .is_server = true,
                               .not_before_wall_s = now,
                               .not_after_wall_s = now + lifetimes_.host.count()};
  Result<std::string> certificate = authorities_->hosts().issue(key->public_der, order);
  if (!certificate) return fail(certificate);
  return tunnel::make_identity(std::move(key->private_pem), std::move(*certificate), authorities_->public_parts());
}

}  // namespace cairn::auth
