#include "agent/session/worker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "agent/session/node_link.h"
#include "agent/session/ssh_server.h"
#include "agent/session/worker_session.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ssh_wire.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"
#include "tunnel/identity.h"

namespace cairn::agent {
namespace {

constexpr int kStartFd = 3;
constexpr size_t kMaxStartBytes = 64 * 1024;
constexpr uint16_t kDefaultProxyPort = 3080;
constexpr uint64_t kDefaultQuotaBytes = uint64_t{1} << 30;
constexpr std::chrono::seconds kFarewellLimit{5};
// In the data directory; made by agent/enroll.
constexpr const char* kHostKeyName = "ssh_host_ed25519_key";

Result<std::string> read_exactly(int fd, size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t got = 0; got < bytes;) {
    const ssize_t now = ::read(fd, text.data() + got, bytes - got);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return fail_errno("read the start frame");
    if (now == 0) return fail(Errc::kTruncated, fmt::format("start frame: {} of {} bytes", got, bytes));
    got += static_cast<size_t>(now);
  }
  return text;
}

Result<v1::WorkerStart> read_start() {
  const UniqueFd frame(kStartFd);
  const Result<std::string> prefix = read_exactly(frame.get(), 4);
  if (!prefix) return fail(prefix);
  const uint32_t body_bytes = read_be32(prefix->data());
  if (body_bytes > kMaxStartBytes)
    return fail(Errc::kTooLarge, fmt::format("start frame of {} bytes, limit {}", body_bytes, kMaxStartBytes));
  const Result<std::string> body = read_exactly(frame.get(), body_bytes);
  if (!body) return fail(body);
  v1::WorkerStart start;
  if (!start.ParseFromString(*body)) return fail(Errc::kInvalid, "the start frame is no WorkerStart");
  return start;
}

Result<std::vector<std::string>> authority_blobs(const tunnel::Identity& identity) {
  std::vector<std::string> blobs;
  for (const std::string& line : identity.authorities.ssh_user_ca()) {
    Result<SshPublicKey> key = parse_ssh_public_key(line);
    if (!key) return fail(key, "the cluster's SSH user authority");
    blobs.push_back(std::move(key->blob));
  }
  return blobs;
}

Result<WorkerSessionOptions> session_options(const v1::WorkerStart& start, const tunnel::Identity& identity) {
  Result<std::vector<std::string>> authorities = authority_blobs(identity);
  if (!authorities) return fail(authorities);
  WorkerSessionOptions options;
  options.session_id = random_uuid();
  options.client_address = start.client_address();
  options.cluster = identity.self.cluster;
  options.node_id = identity.self.id;
  options.node_name = identity.self.name;
  options.authorities = std::move(*authorities);
  options.spool_dir = std::filesystem::path(start.data_dir()) / "spool";
  options.spool_quota_bytes = start.spool_quota_bytes() > 0 ? start.spool_quota_bytes() : kDefaultQuotaBytes;
  options.spool_limits = {.total_bytes = start.spool_total_bytes(), .reserve_bytes = start.spool_reserve_bytes()};
  options.bpf_dir = start.bpf_dir();
  if (start.exec_ring_bytes() > 0) options.rings.exec_bytes = start.exec_ring_bytes();
  if (start.open_ring_bytes() > 0) options.rings.open_bytes = start.open_ring_bytes();
  if (start.aggregate()) options.capture_policy.loss = LossPolicy::kAggregate;
  if (start.lossless()) options.capture_policy.loss = LossPolicy::kLossless;
  if (start.full_events()) options.capture_policy.stream = EventStream::kFull;
  options.linger_limit = std::chrono::seconds(static_cast<int64_t>(start.linger_limit_s()));
  // The session stands on the command line for whoever looks at ps(1).
  options.login_program = {"/proc/self/exe", "login", options.session_id};
  return options;
}

// The audit log is told; without auth, this node's own log must do.
void report(std::optional<audit::v1::AuditEvent> refusal, NodeLink& link, const Log& log) {
  if (!refusal) return;
  if (const Result<void> told = link.append_audit(std::move(*refusal)); !told)
    log.warn("audit.unreachable", kv_error(told.error()));
}

Result<void> serve(const v1::WorkerStart& start, const Log& log) {
  Result<tunnel::Identity> loaded = tunnel::load_identity(start.data_dir());
  if (!loaded) return fail(loaded, "load this node's identity");
  const auto identity = std::make_shared<const tunnel::Identity>(std::move(*loaded));
  const Result<tunnel::Address> proxy = tunnel::parse_address(start.proxy_address(), kDefaultProxyPort);
  if (!proxy) return fail(proxy);
  Result<WorkerSessionOptions> options = session_options(start, *identity);
  if (!options) return fail(options);

  const SystemClock clock;
  std::unique_ptr<WorkerSession> session;  // outlives the link, whose thread may end it
  NodeLink link(*proxy, identity);
  Result<UniqueFd> connection = link.dial_back(start.dial_id(), std::chrono::milliseconds(start.lease_ms()));
  if (!connection) return fail(connection);
  const auto ask_auth = [&link](auth::v1::AuthorizeSessionRequest request) {
    return link.authorize(std::move(request));
  };
  Result<std::unique_ptr<WorkerSession>> made = WorkerSession::make(std::move(*options), ask_auth, &clock, log);
  if (!made) return fail(made);
  session = std::move(*made);
  link.watch_signals([&session] { session->end("an administrator of this node ended the session"); });

  SshServerOptions server_options;
  server_options.host_key = std::filesystem::path(start.data_dir()) / kHostKeyName;
  SshServer server(std::move(server_options), session.get(), log);
  const Result<void> served = server.run(std::move(*connection), &link.client());
  if (!served) log.warn("session.refused", kv("client", start.client_address()), kv_error(served.error()));
  link.client().finish(kFarewellLimit);
  if (!served) report(session->refusal(served.error()), link, log);
  return session->finish(server.take_logins());
}

}  // namespace

int run_worker() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  ::setsid();  // fails when it leads one already, which is as good
  ::umask(077);
  const Result<v1::WorkerStart> start = read_start();
  const Result<LogLevel> level = parse_log_level(start && !start->log_level().empty() ? start->log_level() : "info");
  const Log log("cairn-agent", level ? *level : LogLevel::kInfo);
  if (!start) {
    log.error("worker.failed", kv_error(start.error()));
    return 1;
  }
  const Result<void> served = serve(*start, log);
  if (served) return 0;
  log.error("worker.failed", kv("client", start->client_address()), kv_error(served.error()));
  return 1;
}

}  // namespace cairn::agent
