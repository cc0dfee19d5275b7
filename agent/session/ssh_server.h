#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "agent/session/certificate_check.h"
#include "agent/session/channel.h"
#include "agent/session/poll_set.h"
#include "agent/session/session_host.h"
#include "base/log.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

struct SshServerOptions {
  std::filesystem::path host_key;                        // private key file, OpenSSH format
  std::chrono::milliseconds login_grace{60'000};         // from the connection to the admission
  std::chrono::milliseconds keepalive_interval{60'000};  // a silent client is asked for a sign of life
  int keepalive_limit = 4;                               // so many intervals of silence, and it is held for gone
};

// Serves one SSH connection (RFC 4251 to 4254) with libssh: keys, one certificate, channels. Forwardings of ports,
// agents and X11 are refused. All in the calling thread. `host` outlives it.
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
  //   fails       the client never came in, and why. Once it has, every end is a good end.
  Result<void> run(UniqueFd connection);

  // After run(): the login processes that go on.
  std::vector<OpenLogin> take_logins() { return std::move(logins_); }

 private:
  using Instant = std::chrono::steady_clock::time_point;

  Result<void> open(UniqueFd connection);
  void set_callbacks();
  Result<void> exchange_keys();
  void serve_client();
  void hang_up();
  void turn();
  void serve_channels();
  void say_goodbye(const std::string& reason);
  void tell_of_hold();
  void say(const std::string& sentence);
  bool is_silent_for_too_long();
  int wait_ms() const;
  bool is_grace_over() const;

  // ---- called by libssh
  int on_key(const char* login, ssh_key key, ssh_publickey_state_e state);
  int refuse_key(const char* login, std::string_view type, const Error& error);
  ssh_channel on_channel_open();
  void on_message(ssh_message message);
  void refuse_forwarding(ssh_message message);

  SshServerOptions options_;
  SessionHost* host_;
  Log log_;

  ssh_bind bind_ = nullptr;
  ssh_session session_ = nullptr;
  ssh_event event_ = nullptr;
  ssh_server_callbacks_struct server_callbacks_{};
  ssh_callbacks_struct session_callbacks_{};

  CertificateTerms terms_;
  bool is_admitted_ = false;
  int attempts_ = 0;
  bool is_certificate_refused_ = false;
  std::string last_refusal_;
  std::set<std::string> banners_;  // shown once each

  std::vector<std::unique_ptr<Channel>> channels_;
  uint32_t next_channel_ = 0;
  bool is_hold_told_ = false;
  std::vector<OpenLogin> logins_;  // of the channels that hang_up() ended

  PollSet waits_;
  Instant started_;
  Instant last_heard_;
  Instant last_asked_;
};

}  // namespace cairn::agent
