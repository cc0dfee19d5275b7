#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "auth/access/authorize.h"
#include "auth/ca/authorities.h"
#include "auth/recordings/cluster_keys.h"
#include "auth/recordings/derivations.h"
#include "auth/recordings/directory_chunk_store.h"
#include "auth/recordings/recordings.h"
#include "auth/service/enrolment.h"
#include "auth/service/issuer.h"
#include "auth/service/service.h"
#include "auth/store/sqlite_store.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "tunnel/identity.h"

namespace cairn::auth {

constexpr int64_t kNsPerS = 1'000'000'000;

class FakeClock final : public Clock {
 public:
  uint64_t boot_ns() const override { return static_cast<uint64_t>(now_ns_ - kStart); }
  int64_t wall_ns() const override { return now_ns_; }
  void advance_s(int64_t seconds) { now_ns_ += seconds * kNsPerS; }
  void set_to_system() { now_ns_ = SystemClock().wall_ns(); }

 private:
  static constexpr int64_t kStart = 1'700'000'000 * kNsPerS;
  int64_t now_ns_ = kStart + 1000 * kNsPerS;
};

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn-auth-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Ran {
  int status;
  std::string output;  // both streams
};
inline Ran run_program(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  std::array<char, 4096> block{};
  while (pipe != nullptr && std::fgets(block.data(), static_cast<int>(block.size()), pipe) != nullptr)
    output += block.data();
  const int status = pipe == nullptr ? -1 : ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

// The error's code; no error when it succeeded, where error() would be undefined.
template <class T> std::error_code code_of(const Result<T>& result) {
  return result ? std::error_code() : result.error().code;
}
template <class T> std::string message_of(const Result<T>& result) { return result ? "" : result.error().message; }

constexpr const char* kUserKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK192QftmRppcnUV6xeJbwcDikX8q5/xPAqxoaV1BLOy alice@laptop";

// All of auth but the network, over a throw-away folder.
struct Auth {
  explicit Auth(std::string cluster_name = "testing") : cluster(std::move(cluster_name)) { open(); }

  // As after a restart.
  void open() {
    service.reset();
    retention.reset();
    enrolment.reset();
    derivations.reset();
    recordings.reset();
    chunks.reset();
    store.reset();
    authorities =
        std::make_unique<Authorities>(Authorities::open(folder.path() / "ca", cluster, clock.wall_s()).value());
    store = open_sqlite_store(folder.path() / "auth.db", 4, clock).value();
    chunks = DirectoryChunkStore::open(folder.path() / "recordings").value();
    issuer = std::make_unique<Issuer>(authorities.get(), cluster, Lifetimes{}, &clock);
    keys = std::make_unique<ClusterKeys>(ClusterKeys::open(folder.path() / "ca", cluster, recipients).value());
    keys->set_signer_certificate(issuer->cosigner_certificate(keys->signer_public_key()).value());
    const auto derived = recorder::DerivedCache::open(folder.path() / "derived").value();
    recordings = std::make_unique<Recordings>(store.get(), chunks.get(), derived, keys.get(), &clock, log);
    derivations = std::make_unique<Derivations>(derived, chunks.get(), recordings.get(), log);
    enrolment = std::make_unique<Enrolment>(store.get(), issuer.get(), &clock, log);
    retention = std::make_unique<Retention>(store.get(), recordings.get(), &clock, log);
    service = std::make_unique<Service>(store.get(), recordings.get(), keys.get(), issuer.get(), enrolment.get(),
                                        retention.get(), derivations.get(), folder.path(), &clock, log);
  }

  v1::Response ask(const Subject& who, const v1::Request& request) { return service->answer(who, request, talk); }
  v1::Response as_root(const v1::Request& request) { return ask(root(), request); }

  static Subject root() { return {.kind = Subject::Kind::kRoot, .name = {}, .id = {}}; }
  static Subject user(const std::string& name) { return {.kind = Subject::Kind::kUser, .name = name, .id = {}}; }

  // A token's secret.
  std::string new_token(v1::TokenType type, uint32_t uses = 0, const std::string& name = "",
                        const Labels& labels = {}) {
    v1::Request request;
    request.mutable_create_token()->set_type(type);
    request.mutable_create_token()->set_uses(uses);
    request.mutable_create_token()->set_name(name);
    request.mutable_create_token()->mutable_labels()->insert(labels.begin(), labels.end());
    const v1::Response response = as_root(request);
    EXPECT_TRUE(response.has_create_token()) << response.error().message();
    return response.create_token().secret();
  }

  static enroll::v1::EnrollRequest join_request(const std::string& token, const std::string& name,
                                                bool is_node = true) {
    enroll::v1::EnrollRequest request;
    request.mutable_join()->set_token(token);
    request.mutable_join()->set_name(name);
    request.mutable_join()->set_tls_public_key(tunnel::generate_tls_key().value().public_der);
    if (is_node) request.mutable_join()->set_ssh_host_key(kUserKey);
    return request;
  }

  // A node that has joined.
  Subject new_node(const std::string& name, const Labels& own = {}, const Labels& given = {}) {
    enroll::v1::EnrollRequest request = join_request(new_token(v1::TOKEN_TYPE_NODE, 0, "", given), name);
    request.mutable_join()->mutable_labels()->insert(own.begin(), own.end());
    const enroll::v1::EnrollResponse response = enrolment->answer(request);
    EXPECT_TRUE(response.has_join()) << response.error().message();
    return {.kind = Subject::Kind::kNode, .name = name, .id = response.join().id()};
  }

  void put_role(const std::string& name, const std::vector<std::string>& logins, const Labels& labels,
                const std::vector<std::string>& verbs = {}) {
    v1::Request request;
    v1::Role& role = *request.mutable_put_role()->mutable_role();
    role.set_name(name);
    role.mutable_logins()->Add(logins.begin(), logins.end());
    role.mutable_node_labels()->insert(labels.begin(), labels.end());
    role.mutable_verbs()->Add(verbs.begin(), verbs.end());
    const v1::Response response = as_root(request);
    EXPECT_TRUE(response.has_done()) << response.error().message();
  }

  // Without a password, which costs a quarter of a second.
  void put_user(const std::string& name, const std::vector<std::string>& roles, const std::string& password = "") {
    v1::Request request;
    request.mutable_put_user()->set_name(name);
    request.mutable_put_user()->mutable_roles()->Add(roles.begin(), roles.end());
    request.mutable_put_user()->set_password(password);
    const v1::Response response = as_root(request);
    EXPECT_TRUE(response.has_done()) << response.error().message();
  }

  // The blob of an SSH certificate as the user would get it at login.
  std::string ssh_certificate(const std::string& name, const std::vector<std::string>& logins) {
    const SshCertificateOrder order{.key_id = name,
                                    .principals = logins,
                                    .valid_after_wall_s = clock.wall_s() - 60,
                                    .valid_before_wall_s = clock.wall_s() + 3600};
    const std::string line = authorities->ssh_users().issue(parse_ssh_public_key(kUserKey).value(), order).value();
    return parse_ssh_public_key(line)->blob;
  }

  v1::Response authorize_session(const Subject& node, const std::string& session_id, const std::string& name,
                                 const std::string& login) {
    v1::Request request;
    v1::AuthorizeSessionRequest& wanted = *request.mutable_authorize_session();
    wanted.set_session_id(session_id);
    wanted.set_login(login);
    wanted.set_ssh_certificate(ssh_certificate(name, {login}));
    wanted.set_client_address("192.0.2.7:5000");
    wanted.set_recording_key(signing_key.public_bytes());
    return ask(node, request);
  }

  // Everything in the audit log, oldest first.
  std::vector<AuditEvent> audit(const std::string& kind = "") {
    AuditQuery query{.limit = 1000, .is_ascending = true};
    if (!kind.empty()) query.kinds.push_back(kind);
    return store->search_audit(query).value().rows;
  }

  std::string cluster;
  TempFolder folder;
  FakeClock clock;
  Log log{"auth-test", LogLevel::kError};
  std::unique_ptr<Authorities> authorities;
  std::unique_ptr<Store> store;
  std::unique_ptr<DirectoryChunkStore> chunks;
  std::vector<std::string> recipients = {"cluster"};
  recorder::Ed25519Key signing_key = recorder::Ed25519Key::generate();
  std::unique_ptr<ClusterKeys> keys;
  std::unique_ptr<Recordings> recordings;
  std::unique_ptr<Derivations> derivations;
  std::unique_ptr<Issuer> issuer;
  std::unique_ptr<Enrolment> enrolment;
  std::unique_ptr<Retention> retention;
  std::unique_ptr<Service> service;
  Conversation talk;
};

}  // namespace cairn::auth
