#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/capture/capture_status.h"
#include "agent/session/capture_pump.h"
#include "agent/session/channel.h"
#include "agent/session/session_host.h"
#include "agent/session/session_recorder.h"
#include "agent/session/spool_room.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/auth.pb.h"

namespace cairn::agent {

struct WorkerSessionOptions {
  std::string session_id;      // UUID
  std::string client_address;  // "ip:port"
  std::string cluster;
  std::string node_id;
  std::string node_name;
  std::vector<std::string> authorities;  // blobs of the keys that sign people's certificates
  std::filesystem::path spool_dir;
  uint64_t spool_quota_bytes = 0;
  SpoolLimits spool_limits;
  std::filesystem::path bpf_dir;
  RingSizes rings;
  CapturePolicy capture_policy;
  std::chrono::seconds linger_limit{0};    // the node's own; 0 = only the policy's
  std::vector<std::string> login_program;  // path and arguments
  std::string pam_dir;                     // empty = /etc/pam.d
};

// One session, from the offered certificate to the sealed recording: SSH connection, login processes, capture and
// recording meet here. Without auth's answer, a recording and (where the policy wants it) capture there is no session.
// SessionHost's functions and finish() belong to one thread; end() may be called from any.
class WorkerSession final : public SessionHost {
 public:
  // Asks auth; blocks until it has answered or its own deadline has passed.
  using Authorize = std::function<Result<auth::v1::AuthorizeSessionResponse>(auth::v1::AuthorizeSessionRequest)>;

  // `clock` outlives the session.
  static Result<std::unique_ptr<WorkerSession>> make(WorkerSessionOptions options, Authorize authorize,
                                                     const Clock* clock, Log log);

  Result<void> examine(const std::string& login, std::string_view key_blob) override;
  Result<CertificateTerms> admit(const std::string& login, std::string_view key_blob) override;
  void record(recording::v1::Event event) override { recorder_->add(std::move(event)); }
  void record_output(uint32_t channel, recording::v1::Stream stream, std::string_view bytes) override {
    recorder_->add_output(clock_->boot_ns(), channel, stream, bytes);
  }
  uint64_t boot_ns() const override { return clock_->boot_ns(); }
  bool records_input() const override { return policy_.record_input(); }
  uint64_t piped_output_bytes() const override {
    return policy_.has_piped_output_bytes() ? policy_.piped_output_bytes() : std::numeric_limits<uint64_t>::max();
  }
  bool has_room() const override { return recorder_->has_room(); }
  Result<LoginProcess> start_login(LoginDescriptors descriptors) override;
  v1::LoginStart login_start() const override;
  int wake_fd() const override { return wake_.get(); }
  std::optional<std::string> hold_reason() const override;
  std::optional<std::string> end_reason() const override;

  // Nobody was admitted: the audit log's entry about it. None when no key was offered, and none when it was auth that
  // refused, for auth has made its own.
  //   why  what the person was told
  std::optional<audit::v1::AuditEvent> refusal(const Error& why) const;

  // Ends the session from outside: hangs up, and finish() waits no longer than it takes the programs to notice.
  void end(std::string reason);

  // After the connection: stays until the session's last process has ended or the limit is reached, then seals the
  // recording. Nothing to do when nobody was admitted.
  //   logins  the login processes that go on
  Result<void> finish(std::vector<OpenLogin> logins);

 private:
  WorkerSession(WorkerSessionOptions options, Authorize authorize, UniqueFd wake, const Clock* clock, Log log);

  CertificateSituation situation(const std::string& login) const;
  Result<void> authorize(const std::string& login, std::string_view key_blob);
  Result<void> prepare_recording(const auth::v1::AuthorizeSessionResponse& answer, recorder::Ed25519Key key);
  Result<std::optional<SessionCapture>> open_capture() const;
  recording::v1::Begin describe(const std::string& login, const CaptureStatus* capture) const;
  Result<void> start_recording(const std::string& login);
  void wake() const;
  std::chrono::seconds linger_limit() const;
  Result<void> seal(recording::v1::EndReason reason);

  WorkerSessionOptions options_;
  Authorize authorize_;
  const Clock* clock_;
  Log log_;
  UniqueFd wake_;
  uint64_t session_key_;

  std::string tried_login_;  // as the client gave it; empty until a key was offered
  bool is_auth_asked_ = false;
  std::string login_;
  std::string user_;
  auth::v1::RecordingPolicy policy_;
  std::set<std::string> forwards_;             // what the roles permit
  recorder::RecordingOptions recording_;       // as auth's answer wants it, until the recording is begun
  std::unique_ptr<SessionRecorder> recorder_;  // none until somebody is admitted
  std::unique_ptr<CapturePump> pump_;          // none without kernel events; goes before the recorder

  mutable std::mutex mutex_;
  std::optional<std::string> end_;
};

}  // namespace cairn::agent
