#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "agent/session/certificate_check.h"
#include "agent/session/channel_exit.h"
#include "agent/session/channel_streams.h"
#include "agent/session/login_process.h"
#include "agent/session/poll_set.h"
#include "agent/session/pty.h"
#include "agent/session/session_host.h"
#include "base/log.h"

namespace cairn::agent {

class Forwards;

// A login process that goes on when its channel, or the whole connection, has ended.
struct OpenLogin {
  uint32_t channel;
  LoginProcess process;
  bool is_closed_on_record;  // the recording says already how the channel's program ended
};

// One session channel (RFC 4254 §6): its requests, its program, its end. At most one program runs in it. One thread;
// what is borrowed outlives it.
class Channel {
 public:
  // Takes `channel` over, which must be new.
  //   terms     what the connection's certificate grants
  //   forwards  of the connection
  Channel(ssh_channel channel, uint32_t number, SessionHost* host, const CertificateTerms* terms, Forwards* forwards,
          Log log);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  // The loop's turn: what it waits for, and what it does when something of it has come.
  void prepare(PollSet& waits);
  void serve(const PollSet& waits);

  // Closed, and its login process buried: to be destroyed.
  bool is_over() const;

  // A request of the client for this channel (RFC 4254 §6.2 to 6.7). True = granted.
  bool handle(ssh_message request);
  bool is_of(ssh_channel channel) const { return channel_ == channel; }
  uint32_t number() const { return number_; }

  // Tells the person why the connection ends.
  void say(const std::string& sentence);

  // The connection is gone: hangs the terminal up, closes the pipes. The login process if it still runs; the channel is
  // done with it.
  std::optional<OpenLogin> hang_up();

 private:
  void set_callbacks();
  // ---- requests; true = granted
  bool on_pty(std::string_view term, TerminalSize size);
  void on_window_change(TerminalSize size);
  bool on_environment(std::string_view name, std::string_view value);
  bool on_start(recording::v1::ChannelType type, std::string asked);
  bool on_x11(v1::ForwardX11 display, bool is_single);
  void on_agent();
  void on_unknown();
  void on_signal(std::string_view name);

  Result<void> start_program(recording::v1::ChannelType type, const std::string& command);
  Result<LoginDescriptors> make_descriptors();
  v1::LoginStart describe_start(recording::v1::ChannelType type, const std::string& command) const;
  void record_opened(recording::v1::ChannelType type, const std::string& command);
  void refuse(const std::string& reason);
  void listen_to_login();
  void finish();
  void record_closed();

  ssh_channel channel_;
  uint32_t number_;
  SessionHost* host_;
  const CertificateTerms* terms_;
  Forwards* forwards_;
  Log log_;
  ssh_channel_callbacks_struct callbacks_{};
  ChannelStreams streams_;

  std::map<std::string, std::string> environment_;
  size_t environment_bytes_ = 0;
  std::string term_;
  TerminalSize size_;
  std::optional<Pty> pty_;  // granted; its slave goes to the program
  bool has_pty_ = false;

  bool is_started_ = false;  // a program was asked for
  bool is_open_on_record_ = false;
  std::string farewell_;  // why no program started, for the person
  std::optional<LoginProcess> login_;
  std::optional<ChannelExit> exit_;
  bool is_closed_ = false;  // by us

  PollSet::Slot control_slot_ = PollSet::kNone;
  PollSet::Slot process_slot_ = PollSet::kNone;
};

}  // namespace cairn::agent
