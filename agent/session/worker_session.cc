#include "agent/session/worker_session.h"

#include <sys/eventfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/session/account.h"
#include "agent/session/linger.h"
#include "base/bytes.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

constexpr std::chrono::hours kDefaultLinger{24};
constexpr size_t kMaxTextOfEvent = 512;
// How long a full disk may keep a session that has ended from being sealed.
constexpr std::chrono::minutes kSealPatience{1};
// How long a full spool may hold a session that may lose nothing.
constexpr std::chrono::minutes kHoldLimit{1};

uint64_t random_session_key() {
  uint64_t key = 0;
  while (key == 0) {
    const std::string bytes = random_bytes(sizeof key);
    std::memcpy(&key, bytes.data(), sizeof key);
  }
  return key;
}

std::string kernel_release() {
  struct utsname host{};
  return ::uname(&host) == 0 ? host.release : "";
}

// What a stranger sent, fit for a protobuf string and a log.
std::string plain(std::string_view foreign) {
  std::string text(foreign.substr(0, kMaxTextOfEvent));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string boot_id() {
  Result<std::string> text = read_file("/proc/sys/kernel/random/boot_id", 64);
  if (!text) return "";
  while (text->ends_with('\n')) text->pop_back();
  return std::move(*text);
}

std::string_view policy_name(LossPolicy policy) {
  switch (policy) {
    case LossPolicy::kLossless: return "lossless";
    case LossPolicy::kAggregate: return "aggregate";
    default: return "accounted";
  }
}

}  // namespace

WorkerSession::WorkerSession(WorkerSessionOptions options, Authorize authorize, UniqueFd wake, const Clock* clock,
                             Log log)
    : options_(std::move(options)),
      authorize_(std::move(authorize)),
      clock_(clock),
      log_(std::move(log)),
      wake_(std::move(wake)),
      session_key_(random_session_key()) {}

Result<std::unique_ptr<WorkerSession>> WorkerSession::make(WorkerSessionOptions options, Authorize authorize,
                                                           const Clock* clock, Log log) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno("eventfd");
  return std::unique_ptr<WorkerSession>(
      new WorkerSession(std::move(options), std::move(authorize), std::move(wake), clock, std::move(log)));
}

// ---- who may come in

CertificateSituation WorkerSession::situation(const std::string& login) const {
  return {.authorities = options_.authorities,
          .login = login,
          .client_address = options_.client_address,
          .now_s = clock_->wall_s()};
}

Result<void> WorkerSession::examine(const std::string& login, std::string_view key_blob) {
  tried_login_ = login;
  const Result<CertificateTerms> terms = check_certificate(key_blob, situation(login));
  if (!terms) return fail(terms);
  return {};
}

Result<CertificateTerms> WorkerSession::admit(const std::string& login, std::string_view key_blob) {
  tried_login_ = login;
  Result<CertificateTerms> terms = check_certificate(key_blob, situation(login));
  if (!terms) return terms;
  if (const Result<Account> account = find_account(login); !account) return fail(account);
  if (Result<void> allowed = authorize(login, key_blob); !allowed) return fail(allowed);
  terms->may_forward_ports = terms->may_forward_ports && forwards_.contains("ports");
  terms->may_forward_agent = terms->may_forward_agent && forwards_.contains("agent");
  terms->may_forward_x11 = terms->may_forward_x11 && forwards_.contains("x11");
  login_ = login;
  if (Result<void> started = start_recording(login); !started) return fail(started);
  log_.info("session.started", kv("session", options_.session_id), kv("user", user_), kv("login", login_),
            kv("client", options_.client_address), kv("key_id", terms->key_id), kv("serial", terms->serial),
            kv("capture", pump_ != nullptr));
  return terms;
}

Result<void> WorkerSession::authorize(const std::string& login, std::string_view key_blob) {
  auth::v1::AuthorizeSessionRequest request;
  request.set_session_id(options_.session_id);
  request.set_login(login);
  request.set_ssh_certificate(std::string(key_blob));
  request.set_client_address(options_.client_address);
  recorder::Ed25519Key signing_key = recorder::Ed25519Key::generate();
  request.set_recording_key(signing_key.public_bytes());
  is_auth_asked_ = true;
  Result<auth::v1::AuthorizeSessionResponse> answer = authorize_(std::move(request));
  if (!answer && (answer.error().code == Errc::kDenied || answer.error().code == Errc::kNotFound)) return fail(answer);
  if (!answer) {
    return fail(
        answer,
        "this node cannot ask the cluster's auth service whether the session is allowed, and opens none without "
        "its answer; try again later");
  }
  user_ = answer->user();
  policy_ = answer->policy();
  forwards_ = {answer->forwards().begin(), answer->forwards().end()};
  return prepare_recording(*answer, std::move(signing_key));
}

// How the recording is to be written: readable to whom auth names, signed with the key that auth has certified.
Result<void> WorkerSession::prepare_recording(const auth::v1::AuthorizeSessionResponse& answer,
                                              recorder::Ed25519Key key) {
  std::vector<recorder::Recipient> recipients;
  for (const std::string& text : answer.recipients()) {
    Result<recorder::Recipient> recipient = recorder::parse_recipient(text);
    if (!recipient) return fail(recipient, "auth names a recipient of recordings that is none");
    recipients.push_back(std::move(*recipient));
  }
  if (recipients.empty()) return fail(Errc::kInvalid, "auth names nobody who may read the recording; upgrade auth");
  recording_.quota_bytes = options_.spool_quota_bytes;
  recording_.claim_room = [room = std::make_shared<SpoolRoom>(options_.spool_dir, options_.spool_limits, clock_)](
                              uint64_t held, uint64_t more) { return room->claim(held, more); };
  recording_.keys =
      std::make_unique<const recorder::RecordingKeys>(recorder::RecordingKeys::make(std::move(recipients)));
  recording_.signer.emplace(std::move(key), answer.recording_certificate());
  recording_.commits_each_flush = options_.capture_policy.loss == LossPolicy::kLossless;
  return {};
}

std::optional<audit::v1::AuditEvent> WorkerSession::refusal(const Error& why) const {
  if (tried_login_.empty() || is_auth_asked_) return std::nullopt;
  audit::v1::AuditEvent event;
  event.set_kind("session.denied");
  event.set_session_id(options_.session_id);
  event.set_message(plain(why.message));
  (*event.mutable_fields())["login"] = plain(tried_login_);
  (*event.mutable_fields())["client_address"] = options_.client_address;
  return event;
}

// ---- recording and capture

// None when the policy can do without.
Result<std::optional<SessionCapture>> WorkerSession::open_capture() const {
  Result<SessionCapture> capture =
      SessionCapture::open(options_.bpf_dir, session_key_, options_.rings, options_.capture_policy);
  if (capture) return std::optional<SessionCapture>(std::move(*capture));
  if (policy_.require_kernel_events())
    return fail(capture, "your role requires the recording of kernel events, and this node cannot give it");
  log_.warn("capture.unavailable", kv("session", options_.session_id), kv_error(capture.error()));
  return std::optional<SessionCapture>();
}

recording::v1::Begin WorkerSession::describe(const std::string& login, const CaptureStatus* capture) const {
  recording::v1::Begin begin;
  begin.set_session_id(options_.session_id);
  begin.set_cluster(options_.cluster);
  begin.set_node_id(options_.node_id);
  begin.set_node_name(options_.node_name);
  begin.set_user(user_);
  begin.set_login(login);
  begin.set_client_address(options_.client_address);
  begin.set_wall_ns(clock_->wall_ns());
  begin.set_boot_id(boot_id());
  begin.set_agent_version(CAIRN_VERSION);
  begin.set_kernel(kernel_release());
  begin.set_policy(std::string(policy_name(options_.capture_policy.loss)));
  if (capture == nullptr) return begin;
  begin.set_session_key(session_key_);
  begin.set_capture_tier(capture->tier);
  for (const std::string& hook : capture->hooks) begin.add_hooks(hook);
  return begin;
}

Result<void> WorkerSession::start_recording(const std::string& login) {
  Result<std::optional<SessionCapture>> opened = open_capture();
  if (!opened) return fail(opened);
  std::optional<SessionCapture>& capture = *opened;
  const recording::v1::Begin begin = describe(login, capture ? &capture->status() : nullptr);
  const recorder::ClockAnchor now(clock_->boot_ns(), clock_->mono_ns(), clock_->wall_ns());
  std::filesystem::path path = options_.spool_dir / (options_.session_id + ".rec");
  Result<recorder::RecordingWriter> writer =
      recorder::RecordingWriter::create(std::move(path), begin, now, std::move(recording_));
  if (!writer) return fail(writer, "this node cannot record the session");
  const auto wake_server = [this] { wake(); };
  std::optional<std::chrono::milliseconds> hold_limit;
  if (options_.capture_policy.loss == LossPolicy::kLossless) hold_limit = kHoldLimit;
  recorder_ = std::make_unique<SessionRecorder>(std::move(*writer), clock_, wake_server, log_, hold_limit);
  if (!capture) return {};
  Result<std::unique_ptr<CapturePump>> pump =
      CapturePump::start(std::move(*capture), recorder_.get(), policy_.require_kernel_events(), wake_server, log_);
  if (!pump) return fail(pump, "this node cannot capture the session");
  pump_ = std::move(*pump);
  return {};
}

// ---- programs

Result<LoginProcess> WorkerSession::start_login(LoginDescriptors descriptors) {
  Result<LoginProcess> login = LoginProcess::spawn(options_.login_program, std::move(descriptors));
  if (!login || !pump_) return login;
  if (Result<void> tagged = pump_->tag(login->pidfd()); !tagged) {
    login->end_at_gate();
    return fail(tagged, "this node could not put the session's tag on the login, and starts nothing unrecorded");
  }
  return login;
}

v1::LoginStart WorkerSession::login_start() const {
  v1::LoginStart start;
  start.set_login(login_);
  start.set_user(user_);
  start.set_session_id(options_.session_id);
  start.set_client_address(options_.client_address);
  start.set_pam_dir(options_.pam_dir);
  return start;
}

// ---- the end

void WorkerSession::wake() const {
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void WorkerSession::end(std::string reason) {
  {
    const std::scoped_lock lock(mutex_);
    if (!end_) end_ = std::move(reason);
  }
  wake();
}

std::optional<std::string> WorkerSession::hold_reason() const {
  if (!recorder_ || !recorder_->is_held()) return std::nullopt;
  return fmt::format(
      "the disk for recordings is full on this node, and nothing may go unrecorded: the session stands "
      "still until there is room, and ends when there is none within {} s; tell an administrator",
      std::chrono::seconds(kHoldLimit).count());
}

std::optional<std::string> WorkerSession::end_reason() const {
  {
    const std::scoped_lock lock(mutex_);
    if (end_) return end_;
  }
  if (recorder_ && recorder_->failure())
    return "the session cannot be recorded any longer and ends; tell an administrator of this node";
  if (pump_ && pump_->failure())
    return "the session's kernel events cannot be recorded any longer and it ends; tell an administrator of this node";
  return std::nullopt;
}

std::chrono::seconds WorkerSession::linger_limit() const {
  const std::chrono::seconds policy(static_cast<int64_t>(std::min<uint64_t>(policy_.linger_limit_s(), 1'000'000'000)));
  const std::chrono::seconds limit = policy.count() > 0 ? policy : kDefaultLinger;
  return options_.linger_limit.count() > 0 ? std::min(limit, options_.linger_limit) : limit;
}

Result<void> WorkerSession::finish(std::vector<OpenLogin> logins) {
  if (!recorder_) return {};
  Linger linger(std::move(logins), this, pump_.get(), log_);
  return seal(linger.run(linger_limit()));
}

Result<void> WorkerSession::seal(recording::v1::EndReason reason) {
  uint64_t issued = 0;
  if (pump_) {
    // Unsealed, the recording is closed by the supervisor, with what the kernel counted.
    const Result<uint64_t> finished = pump_->finish();
    if (!finished) return fail(finished, "end of the session");
    issued = *finished;
  }
  if (Result<void> sealed = recorder_->seal(reason, issued, kSealPatience); !sealed)
    return fail(sealed, "seal the recording");
  log_.info("session.ended", kv("session", options_.session_id), kv("reason", recording::v1::EndReason_Name(reason)),
            kv("kernel_events", issued));
  return {};
}

}  // namespace cairn::agent
