#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <libssh/libssh.h>
#include <libssh/server.h>

#include "agent/session/certificate_check.h"
#include "agent/session/channel.h"
#include "agent/session/forwarded_connection.h"
#include "agent/session/forwarder_process.h"
#include "agent/session/poll_set.h"
#include "agent/session/session_host.h"
#include "base/free_with.h"
#include "base/log.h"
#include "base/result.h"

namespace cairn::agent {

using SshMessage = std::unique_ptr<ssh_message_struct, FreeWith<ssh_message_free>>;

// What a connection carries beside its programs: ports, the person's agent, X11 (RFC 4254 §6.3, §7; PROTOCOL of
// OpenSSH). Permitted by the certificate and the person's roles, opened by a process that is the person
// (agent/session/forwarder.h), recorded as Forward events. One thread; what is borrowed outlives it.
class Forwards {
 public:
  static constexpr size_t kMaxConnections = 512;  // at one time, those that are being made included
  static constexpr size_t kMaxListeners = 64;

  Forwards(ssh_session session, SessionHost* host, const CertificateTerms* terms, Log log);

  // Connects to where the client asks and answers it then, either way.
  //   message  a request for a channel of the type direct-tcpip
  void connect(SshMessage message);
  // Listens on loopback, whatever address the client names (sshd_config(5), GatewayPorts no).
  //   returns  the port
  Result<uint16_t> listen(const std::string& address, uint32_t port);
  // False: it does not listen there.
  bool cancel(const std::string& address, uint32_t port);
  // For programs of this connection; SSH_AUTH_SOCK.
  Result<std::string> forward_agent();
  // For the programs of one channel; DISPLAY.
  Result<std::string> forward_x11(uint32_t channel, v1::ForwardX11 display, bool is_single);
  // The channel's display is closed.
  void note_channel_end(uint32_t channel);

  // The loop's turn.
  void prepare(PollSet& waits);
  void serve(const PollSet& waits);

  // The connection is gone. The login process of the forwarder, if there is one that still runs.
  std::optional<OpenLogin> hang_up();

 private:
  struct Pending {
    SshMessage message;
    recording::v1::Forward facts;
  };
  struct Listener {
    recording::v1::Forward facts;
    std::vector<UniqueFd> sockets;
    std::optional<uint32_t> channel = {};  // of X11
    bool is_single = false;                // it takes one connection
    std::vector<PollSet::Slot> slots = {};
  };

  Result<ForwarderProcess*> forwarder();
  Result<Listener*> open_listener(recording::v1::ForwardKind kind, std::string host, v1::ToForwarder request);
  recording::v1::Forward new_facts(recording::v1::ForwardKind kind, std::string host, uint32_t port);
  void record(const recording::v1::Forward& facts, recording::v1::ForwardPhase phase);
  void refuse(recording::v1::Forward facts, const std::string& reason);
  void refuse(Pending pending, const std::string& reason);
  void take_answers();
  void take_answer(ForwarderAnswer answer);
  void fail_pending(const std::string& reason);
  void accept_from(Listener& listener, int socket);
  void say_reasons();
  void serve_listeners(const PollSet& waits);
  void serve_connections(const PollSet& waits);
  size_t connections() const { return pending_.size() + connections_.size(); }

  ssh_session session_;
  SessionHost* host_;
  const CertificateTerms* terms_;
  Log log_;
  std::optional<ForwarderProcess> forwarder_;
  PollSet::Slot forwarder_slot_ = PollSet::kNone;
  std::map<uint64_t, Pending> pending_;  // by the id of the forwarder's answer
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<ForwardedConnection>> connections_;
  std::string agent_path_;
  std::vector<std::string> unsaid_;  // why something was refused
  uint32_t next_number_ = 0;
};

}  // namespace cairn::agent
