#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include "agent/session/poll_set.h"
#include "base/unique_fd.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// One connection that the session forwards: an SSH channel and a socket (RFC 4254 §7), bytes both ways, each direction
// ending by itself. Holds one read (32 KiB) each way; what comes beyond that waits in the kernel, or in libssh, whose
// window is 1.25 MiB. One thread.
class ForwardedConnection {
 public:
  // Asks the client for the channel, once each turn until it has answered: SSH_AGAIN, SSH_OK or SSH_ERROR.
  using Open = std::function<int(ssh_channel channel)>;

  // Takes `channel` over.
  //   facts  of its events: number, kind, host, port, peer
  //   open   empty: the channel is open already
  ForwardedConnection(ssh_channel channel, UniqueFd socket, recording::v1::Forward facts, Open open = {});
  ForwardedConnection(const ForwardedConnection&) = delete;
  ForwardedConnection& operator=(const ForwardedConnection&) = delete;
  ~ForwardedConnection();

  // The loop's turn.
  void prepare(PollSet& waits);
  void serve(const PollSet& waits);

  bool is_open() const { return !open_; }
  bool is_refused() const { return is_refused_; }  // by the client
  bool is_over() const { return is_over_; }
  // With the bytes so far.
  const recording::v1::Forward& facts() const { return facts_; }

 private:
  void set_callbacks();
  void note_client_gone();
  bool has_news() const;
  void push();
  void take_from_socket();
  bool fetch();
  void give_to_socket();
  void close();

  ssh_channel channel_;
  UniqueFd socket_;
  recording::v1::Forward facts_;
  Open open_;
  ssh_channel_callbacks_struct callbacks_{};
  std::string incoming_;  // from the client, not yet taken by the socket
  std::string outgoing_;  // from the socket, not yet taken by libssh
  bool has_input_ = false;
  bool is_input_over_ = false;   // the client sends no more
  bool is_input_shut_ = false;   // and the socket knows
  bool is_output_over_ = false;  // the socket sends no more, and the client knows
  bool is_client_gone_ = false;
  bool is_refused_ = false;
  bool is_over_ = false;
  PollSet::Slot slot_ = PollSet::kNone;
};

}  // namespace cairn::agent
