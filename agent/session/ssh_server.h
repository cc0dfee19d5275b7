#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <libssh/libssh.h>
#include <libssh/server.h>

#include "agent/session/certificate_check.h"
#include "agent/session/channel.h"
#include "agent/session/forwards.h"
#include "agent/session/poll_set.h"
#include "agent/session/session_host.h"
#include "base/log.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "tunnel/pump.h"

namespace cairn::agent {

struct SshServerOptions {
  std::filesystem::path host_key;                        // private key file, OpenSSH format
  std::chrono::milliseconds login_grace{60'000};         // from the connection to the admission
  std::chrono::milliseconds keepalive_interval{60'000};  // a silent client is asked for a sign of life
  int keepalive_limit = 4;                               // so many intervals of silence, and it is held for gone
};

// Serves one SSH connection (RFC 4251 to 4254) with libssh: keys, one certificate, channels, forwardings. All in the
// calling thread. `host` outlives it.
//
// What a client asks is taken from libssh's queue of messages: there an answer may wait for a connect(2). libssh fills
// it only where neither the session nor the server has callbacks.
//
// Only libssh's session lives in libssh's event loop; the programs' descriptors are polled by ours. ssh_channel_write
// runs callbacks of whatever is in its loop, and ours would then run inside ours.
class SshServer {
 public:
  static constexpr size_t kMaxChannels = 64;   // at one time
  static constexpr int kMaxAuthAttempts = 20;  // an agent may hold many keys

  SshServer(SshServerOptions options, SessionHost* host, Log log);
  SshServer(const SshServer&) = delete;
  SshServer& operator=(const SshServer&) = delete;
  ~SshServer();

  // Until the connection has ended, for whatever reason; terminals are hung up then.
  //   connection  a connected stream socket
  //   carrier     brings the client's bytes to its other end and back, in this thread's turns; null: somebody else does
  //   fails       the client never came in, and why. Once it has, every end is a good end.
  Result<void> run(UniqueFd connection, tunnel::Pump* carrier = nullptr);

  // After run(): the login processes that go on.
  std::vector<OpenLogin> take_logins() { return std::move(logins_); }

 private:
  using Instant = std::chrono::steady_clock::time_point;

  Result<void> open(UniqueFd connection);
  Result<void> exchange_keys();
  void serve_client();
  void hang_up();
  void turn();
  void carry(tunnel::Pump::Ready ready);
  tunnel::Pump::Ready carrier_ready() const;
  void prepare();
  void serve_channels();
  void say_goodbye(const std::string& reason);
  void tell_of_hold();
  void say(const std::string& sentence);
  bool is_silent_for_too_long();
  int wait_ms() const;
  bool is_grace_over() const;

  void take_messages();
  bool has_unread() const;

  // ---- what the client asks
  void handle(SshMessage message);
  void on_auth(ssh_message message);
  bool may_enter(const std::string& login, ssh_key key, ssh_publickey_state_e state);
  void refuse_key(const std::string& login, std::string_view type, const Error& error);
  void on_channel_open(SshMessage message);
  void on_channel_request(ssh_message message);
  void on_global_request(ssh_message message);

  SshServerOptions options_;
  SessionHost* host_;
  Log log_;

  ssh_bind bind_ = nullptr;
  ssh_session session_ = nullptr;
  ssh_event event_ = nullptr;

  CertificateTerms terms_;
  bool is_admitted_ = false;
  int attempts_ = 0;
  bool is_certificate_refused_ = false;
  std::string last_refusal_;
  std::set<std::string> banners_;  // shown once each

  std::unique_ptr<Forwards> forwards_;
  std::vector<std::unique_ptr<Channel>> channels_;
  uint32_t next_channel_ = 0;
  bool is_hold_told_ = false;
  std::vector<OpenLogin> logins_;  // of the channels that hang_up() ended

  tunnel::Pump* carrier_ = nullptr;
  std::array<PollSet::Slot, 3> carrier_slots_{};
  ssh_counter_struct traffic_{};  // bytes that libssh has read from its socket and written to it
  PollSet waits_;
  PollSet::Slot session_slot_ = PollSet::kNone;
  PollSet::Slot wake_slot_ = PollSet::kNone;
  Instant started_;
  Instant last_heard_;
  Instant last_asked_;
};

}  // namespace cairn::agent
