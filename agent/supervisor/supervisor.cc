#include "agent/capture/canary.h"
#include "agent/supervisor/supervisor.h"

#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "agent/enroll/enrolment.h"
#include "agent/enroll/renewal.h"
#include "agent/supervisor/status_socket.h"
#include "agent/upload/spool_folder.h"
#include "base/file.h"
#include "base/library_pages.h"
#include "proto/agent.pb.h"

namespace cairn::agent {
namespace {

// Between two looks whether sessions are left that need the hooks that cost all processes something.
constexpr std::chrono::seconds kRestInterval{10};
constexpr std::chrono::seconds kAuditLimit{10};
constexpr std::chrono::seconds kMetricsInterval{10};

std::string kernel_release() {
  struct utsname host{};
  return ::uname(&host) == 0 ? host.release : "";
}

// The running kernel's; empty (and equal to no recording's) when it cannot be read.
std::string boot_id() {
  Result<std::string> text = read_file("/proc/sys/kernel/random/boot_id", 64);
  if (!text) return "";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return std::move(*text);
}

}  // namespace

Supervisor::Supervisor(const asio::any_io_executor& executor, AgentOptions options, ReadOptions read_options,
                       const Clock* clock, const ServiceManager* manager, Log log)
    : executor_(executor),
      options_(std::move(options)),
      read_options_(std::move(read_options)),
      clock_(clock),
      manager_(manager),
      log_(std::move(log)),
      stop_(executor, SIGTERM, SIGINT),
      hangup_(executor, SIGHUP),
      proxies_(options_.proxies),
      spool_(options_.data_dir / "spool") {}

awaitable<Result<void>> Supervisor::run() {
  using namespace asio::experimental::awaitable_operators;
  auto first = co_await (serve() || until_stopped());
  Result<void> outcome = std::visit([](Result<void>& ended) { return std::move(ended); }, first);
  if (control_) control_->close();
  clean_up_kernel();
  if (outcome) log_.info("agent.stopped", kv("workers", workers_ ? workers_->running() : 0));
  co_return outcome;
}

awaitable<Result<void>> Supervisor::until_stopped() {
  auto [error, signal] = co_await stop_.async_wait(kAwait);
  if (error) co_return fail(error, "wait for a signal");
  log_.info("agent.stopping", kv("signal", signal));
  manager_->stopping("sessions live on");
  co_return Result<void>();
}

awaitable<Result<void>> Supervisor::serve() {
  using namespace asio::experimental::awaitable_operators;
  EnrolmentOptions joining{.data_dir = options_.data_dir,
                           .proxies = options_.proxies,
                           .token = options_.token,
                           .ca_pin = options_.ca_pin,
                           .is_pin_waived = options_.insecure_no_ca_pin,
                           .name = options_.name,
                           .labels = options_.labels};
  Enrolment enrolment(std::move(joining), clock_, log_);
  Result<NodeIdentity> identity = co_await enrolment.run();
  if (!identity) co_return fail(identity);
  identity_ = std::make_unique<NodeIdentity>(std::move(*identity));

  if (Result<void> captured = start_capture(); !captured) co_return fail(captured);
  start_parts();
  Renewal renewal(
      identity_.get(),
      [this](auth::v1::Request request, std::chrono::milliseconds limit) {
        return ask_auth_once(std::move(request), limit);
      },
      clock_, RenewalTimes{}, log_);
  auto ended = co_await ((announce_and_listen() && uploader_->run() && workers_->reap()) || renewal.run());
  if (ended.index() == 1) co_return std::get<1>(std::move(ended));
  co_return Result<void>();
}

// The first heartbeat goes ahead, so that auth knows how a node is that says it is ready.
awaitable<void> Supervisor::announce_and_listen() {
  using namespace asio::experimental::awaitable_operators;
  co_await heartbeat_->beat();
  control_->set(options_.proxies);
  co_await (heartbeat_->run() && rest_capture() && watch_capture() && keep_ledger() && keep_metrics() &&
            keep_status() && watch_reload() && manager_->feed_watchdog());
}

awaitable<void> Supervisor::keep_status() {
  const Result<void> served =
      co_await serve_status(options_.data_dir / kStatusSocket, [this] { return current_status(); });
  co_await end_if_cancelled();
  if (!served) log_.warn("status.untold", kv_error(served.error()));
}

awaitable<void> Supervisor::watch_reload() {
  for (;;) {
    auto [error, signal] = co_await hangup_.async_wait(kAwait);
    if (error) co_return;
    manager_->reloading();
    reload();
    manager_->ready("serving");
    co_await heartbeat_->beat();  // labels may be others
  }
}

// What shaped this process when it began stays as it is; all else is taken over, for sessions that begin from now on.
void Supervisor::reload() {
  Result<AgentOptions> read = read_options_();
  if (!read) return log_.error("config.refused", kv_error(read.error()));
  std::string unchanged;
  const auto keep = [&](std::string_view key, auto AgentOptions::* option) {
    if ((*read).*option == options_.*option) return;
    unchanged += (unchanged.empty() ? "" : ", ") + std::string(key);
    (*read).*option = options_.*option;
  };
  keep("data_dir", &AgentOptions::data_dir);
  keep("bpf_dir", &AgentOptions::bpf_dir);
  keep("name", &AgentOptions::name);
  keep("capture_tier", &AgentOptions::capture_tier);
  keep("require_capture", &AgentOptions::require_capture);
  keep("exec_ledger", &AgentOptions::exec_ledger);
  keep("upload_bytes_per_s", &AgentOptions::upload_bytes_per_s);
  if (!unchanged.empty()) log_.warn("config.needs_restart", kv("options", unchanged));
  options_ = std::move(*read);
  log_.set_level(options_.level);
  proxies_.replace(options_.proxies);
  control_->set(options_.proxies);
  log_.info("config.reloaded");
}

awaitable<void> Supervisor::watch_capture() {
  if (canary_) co_await canary_->run();
}

awaitable<void> Supervisor::keep_ledger() {
  if (ledger_) co_await ledger_->run();
}

awaitable<void> Supervisor::keep_metrics() {
  for (;;) {
    co_await write_metrics();
    co_await sleep_for(kMetricsInterval);
  }
}

awaitable<void> Supervisor::write_metrics() {
  if (options_.metrics_file.empty()) co_return;
  const AgentMetrics metrics{.capture_tier = capture_ ? capture_->status().tier : "",
                             .is_capture_whole = capture_ && capture_error_.empty(),
                             .times_blind = times_blind_,
                             .live_sessions = uploader_->status().live_sessions,
                             .spool_bytes = uploader_->status().bytes};
  constexpr mode_t kForAll = 0644;
  const Result<void> written = co_await disk_.run([path = options_.metrics_file, text = metrics_text(metrics)] {
    return write_file_atomically(path, text, kForAll);
  });
  if (!written && !std::exchange(are_metrics_untold_, true)) log_.warn("metrics.untold", kv_error(written.error()));
  if (written) are_metrics_untold_ = false;
}

awaitable<Result<void>> Supervisor::tell_ledger(audit::v1::AuditEvent event) {
  auth::v1::Request request;
  *request.mutable_append_audit()->mutable_event() = std::move(event);
  const Result<auth::v1::Response> told = co_await ledger_link_->call(std::move(request), kAuditLimit);
  if (!told) co_return fail(told);
  co_return Result<void>();
}

// Who looks at the node must see it at once; the audit log has it for who looks later.
void Supervisor::on_sight_changed(std::string blind) {
  if (!blind.empty()) ++times_blind_;
  capture_error_ = blind.empty() ? "" : "attached, and yet blind for: " + blind;
  asio::co_spawn(executor_, report_sight(std::move(blind)), asio::detached);
}

awaitable<void> Supervisor::report_sight(std::string blind) {
  co_await write_metrics();
  co_await heartbeat_->beat();
  auth::v1::Request request;
  audit::v1::AuditEvent& event = *request.mutable_append_audit()->mutable_event();
  event.set_kind(blind.empty() ? "capture.sees" : "capture.blind");
  event.set_message(blind.empty() ? "the kernel's programs see all classes of events again"
                                  : "the kernel's programs are attached and no longer see: " + blind);
  (*event.mutable_fields())["classes"] = blind;
  const Result<auth::v1::Response> told = co_await ask_auth_once(std::move(request), kAuditLimit);
  if (!told) log_.warn("capture.untold", kv_error(told.error()));
}

awaitable<void> Supervisor::rest_capture() {
  for (;;) {
    co_await sleep_for(kRestInterval);
    if (!capture_) continue;
    const Result<bool> rested = co_await disk_.run([capture = &*capture_] { return capture->rest_when_idle(); });
    if (!rested) log_.warn("capture.no_rest", kv_error(rested.error()));
  }
}

Result<void> Supervisor::start_capture() {
  Result<CaptureHost> started =
      CaptureHost::start(options_.bpf_dir, log_, options_.capture_tier == "auto" ? "" : options_.capture_tier);
  if (started) {
    capture_ = std::move(*started);
    return check_capture();
  }
  if (options_.require_capture) {
    return fail(started,
                "this host cannot record what its kernel sees (to go on without: --require-capture=false, and a role "
                "whose policy does not require kernel events)");
  }
  capture_error_ = started.error().message;
  log_.error("capture.unavailable", kv_error(started.error()));
  return {};
}

// That programs are attached is no proof that they see: one operation of each class is done, and must be seen.
Result<void> Supervisor::check_capture() {
  const Result<CanaryReport> canary = run_canary(options_.bpf_dir, {"/proc/self/exe", "canary"});
  if (canary && canary->missed.empty()) return {};
  std::string missed;
  if (canary) {
    for (const std::string& name : canary->missed) missed += (missed.empty() ? "" : ", ") + name;
  }
  capture_error_ = canary ? "attached, and yet blind for: " + missed : canary.error().message;
  log_.error("capture.blind", kv("error", capture_error_));
  if (!options_.require_capture) return {};
  return fail(Errc::kUnsupported, fmt::format("the capture of this host does not work: {}; see cairn-agent doctor "
                                              "(to go on without: --require-capture=false)",
                                              capture_error_));
}

KernelSessions Supervisor::kernel_sessions() {
  KernelSessions kernel{.boot_id = boot_id(), .issued = {}, .forget = {}};
  if (!capture_) return kernel;
  CaptureHost* const capture = &*capture_;
  kernel.issued = [capture](uint64_t session_key) { return capture->issued(session_key); };
  kernel.forget = [capture](uint64_t session_key) { return capture->forget_session(session_key); };
  return kernel;
}

void Supervisor::start_parts() {
  const auto who_am_i = [this] { return identity_->current(); };
  upload_link_ = std::make_unique<AuthLink>(&proxies_, who_am_i);
  // The data directory stands on the command line for whoever looks at ps(1); what counts is the start frame.
  std::vector<std::string> worker{"/proc/self/exe", "worker", options_.data_dir.string()};
  workers_ = std::make_unique<WorkerLauncher>(executor_, std::move(worker), log_);
  uploader_ = std::make_unique<Uploader>(executor_, spool_, upload_link_.get(), kernel_sessions(), &disk_, clock_,
                                         UploadTimes{}, UploadLimits{.bytes_per_s = options_.upload_bytes_per_s}, log_);
  heartbeat_ = std::make_unique<Heartbeat>(
      [this](auth::v1::Request request, std::chrono::milliseconds limit) {
        return ask_auth_once(std::move(request), limit);
      },
      [this] { return describe(); }, Heartbeat::kInterval, log_);
  if (capture_) {
    canary_ = std::make_unique<CanaryWatch>(
        &*capture_, options_.bpf_dir, [this] { return sessions() > 0; },
        [this](std::string blind) { on_sight_changed(std::move(blind)); }, &disk_, log_);
    if (options_.exec_ledger) {
      ledger_link_ = std::make_unique<AuthLink>(&proxies_, who_am_i);
      ledger_ = std::make_unique<ExecLedger>(
          options_.bpf_dir, [this](audit::v1::AuditEvent event) { return tell_ledger(std::move(event)); }, &disk_,
          clock_, log_);
    }
  }
  ControlConnections::Calls calls{
      .who_am_i = who_am_i,
      .on_dial = [this](tunnel::v1::Dial dial,
                        tunnel::Address proxy) { return on_dial(std::move(dial), std::move(proxy)); },
      .on_up = [this](const tunnel::Address& proxy) { on_up(proxy); }};
  control_ = std::make_unique<ControlConnections>(executor_, std::move(calls), ControlTimes{}, log_);
}

// With the first proxy clients can come: ready.
void Supervisor::on_up(const tunnel::Address& proxy) {
  const tunnel::Peer& self = identity_->current()->self;
  const std::string address = tunnel::address_text(proxy);
  const bool is_first = seen_.empty();
  const bool is_new = seen_.insert(address).second;
  if (is_new && !is_first) log_.info("tunnel.up", kv("proxy", address));
  if (!is_new) log_.info("tunnel.restored", kv("proxy", address));
  if (!is_first) return;
  log_.info("agent.ready", kv("node", self.id), kv("name", self.name), kv("cluster", self.cluster),
            kv("proxy", address), kv("capture_tier", capture_ ? capture_->status().tier : "none"));
  manager_->ready("serving");
  forget_library_pages();
}

// Workers of an earlier supervisor count by the recordings that they hold.
size_t Supervisor::sessions() const { return std::max<size_t>(workers_->running(), uploader_->status().live_sessions); }

// ---- what comes in

awaitable<Result<void>> Supervisor::on_dial(tunnel::v1::Dial dial, tunnel::Address proxy) {
  if (const size_t sessions = this->sessions(); sessions >= options_.max_sessions) {
    co_return fail(Errc::kUnavailable, fmt::format("this node serves {} sessions already, its limit (max_sessions); "
                                                   "try again later",
                                                   sessions));
  }
  auto probe = [spool = spool_] { return probe_spool(spool); };
  const Result<void> room = co_await disk_.run(std::move(probe));
  if (!room) co_return fail(room);

  agent::v1::WorkerStart start;
  start.set_dial_id(dial.dial_id());
  start.set_lease_ms(dial.lease_ms());
  start.set_client_address(dial.client_address());
  start.set_data_dir(options_.data_dir.string());
  start.set_bpf_dir(options_.bpf_dir.string());
  start.set_proxy_address(tunnel::address_text(proxy));
  start.set_spool_quota_bytes(options_.spool_quota_bytes);
  start.set_spool_total_bytes(options_.spool_total_bytes);
  start.set_spool_reserve_bytes(options_.spool_reserve_bytes);
  start.set_linger_limit_s(static_cast<uint64_t>(options_.linger_limit.count()));
  start.set_lossless(options_.recording_policy == "lossless");
  start.set_aggregate(options_.recording_policy == "aggregate");
  start.set_full_events(options_.events == "full");
  start.set_log_level(options_.log_level);
  co_return workers_->launch(start.SerializeAsString());
}

// ---- what goes out

auth::v1::HeartbeatRequest Supervisor::describe() const {
  auth::v1::HeartbeatRequest beat;
  beat.set_version(CAIRN_VERSION);
  beat.mutable_labels()->insert(options_.labels.begin(), options_.labels.end());
  beat.set_kernel(kernel_release());
  if (capture_) {
    beat.set_capture_tier(capture_->status().tier);
    for (const std::string& hook : capture_->status().hooks) beat.add_hooks(hook);
  }
  beat.set_capture_error(capture_error_);
  beat.set_spool_bytes(uploader_->status().bytes);
  beat.set_live_sessions(uploader_->status().live_sessions);
  return beat;
}

// Whether auth hears this node is asked anew.
awaitable<agent::v1::AgentStatus> Supervisor::current_status() {
  co_await heartbeat_->beat();
  co_return status();
}

agent::v1::AgentStatus Supervisor::status() const {
  const std::shared_ptr<const tunnel::Identity> me = identity_->current();
  agent::v1::AgentStatus status;
  status.set_version(CAIRN_VERSION);
  status.set_node(me->self.id);
  status.set_name(me->self.name);
  status.set_cluster(me->self.cluster);
  status.set_certificate_expires_wall_s(me->not_after_s);
  status.set_is_heard(heartbeat_->is_heard());
  for (const ControlConnections::State& state : control_->states()) {
    agent::v1::AgentStatus::Proxy* proxy = status.add_proxies();
    proxy->set_address(state.proxy);
    proxy->set_is_up(state.is_up);
    proxy->set_error(state.error);
  }
  if (capture_) status.set_capture_tier(capture_->status().tier);
  status.set_capture_error(capture_error_);
  status.set_live_sessions(sessions());
  status.set_max_sessions(options_.max_sessions);
  status.set_spool_bytes(uploader_->status().bytes);
  return status;
}

awaitable<Result<auth::v1::Response>> Supervisor::ask_auth_once(auth::v1::Request request,
                                                                std::chrono::milliseconds limit) {
  AuthLink link(&proxies_, [this] { return identity_->current(); });
  co_return co_await link.call(std::move(request), limit);
}

// ---- the end

void Supervisor::clean_up_kernel() {
  if (!capture_) return;
  const Result<std::vector<SpooledRecording>> recordings = list_spool(spool_);
  const bool is_any_live = !recordings || std::ranges::any_of(*recordings, &SpooledRecording::is_live);
  if (is_any_live || workers_->running() > 0) return;
  if (Result<void> removed = unpin_all(options_.bpf_dir); !removed)
    log_.warn("capture.left", kv("bpf_dir", options_.bpf_dir.string()), kv_error(removed.error()));
}

}  // namespace cairn::agent
