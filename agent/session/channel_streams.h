#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <libssh/libssh.h>

#include "agent/session/poll_set.h"
#include "agent/session/pty.h"
#include "agent/session/session_host.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// The bytes of one channel: from the client to the program, from the program into the recording and then to the client.
// Holds at most one read (32 KiB) each way; what the client sends beyond that waits inside libssh, whose window is
// 1.25 MiB, and what the program writes waits in the kernel. One thread; `channel` and `host` outlive it.
//
// libssh runs callbacks of any channel inside its calls, so nothing here calls it from a callback.
class ChannelStreams {
 public:
  ChannelStreams(ssh_channel channel, uint32_t number, SessionHost* host)
      : channel_(channel), number_(number), host_(host) {}

  // The program's ends. They do not block.
  Result<void> attach_terminal(UniqueFd master);
  void attach_pipes(UniqueFd input, UniqueFd output, UniqueFd errors);

  // ---- told by callbacks of libssh: nothing happens before serve()
  void note_input() { has_input_ = true; }  // bytes wait in the channel
  void note_input_end() { is_input_over_ = true; }
  void note_client_gone() { is_client_gone_ = true; }
  // The client's standard output is closed; the program shall notice (eow@openssh.com in OpenSSH's PROTOCOL). It will
  // open the window no more.
  void note_output_unwanted() { is_output_unwanted_ = !is_terminal_; }

  // ---- the loop's turn
  void prepare(PollSet& waits);
  void serve(const PollSet& waits);

  // Ours for the person, on standard error and not recorded: as soon as their window is open.
  void say(std::string_view sentence);

  // The program has ended. Of a terminal, what it has written by now is all: what else holds the terminal open does not
  // hold the channel open.
  void note_program_end() { is_program_over_ = true; }
  // All that the program wrote is with the client, or the client has gone.
  bool is_drained() const { return !output_ && !errors_ && outgoing_.empty(); }
  bool is_client_gone() const { return is_client_gone_; }

  Result<void> resize(TerminalSize size);

  // Lets go of the program: its terminal is hung up, its pipes are closed.
  void close();

 private:
  void push();
  int offer(const std::string& bytes, bool is_errors);
  void forget_output();
  bool takes_output() const;
  bool may_read() const;
  void pump_output(UniqueFd& from, recording::v1::Stream stream);
  bool pass_on(UniqueFd& from, recording::v1::Stream stream);
  void record_output(recording::v1::Stream stream, std::string_view bytes);
  std::string_view keep(recording::v1::Stream stream, std::string_view bytes);
  void tell_not_kept(recording::v1::Stream stream, uint64_t bytes);
  void tell_ends();
  bool has_news() const;
  bool fetch_input();
  void pump_input();
  void record_input(size_t bytes, bool is_shown);

  ssh_channel channel_;
  uint32_t number_;
  SessionHost* host_;

  UniqueFd input_;
  UniqueFd output_;
  UniqueFd errors_;
  bool is_terminal_ = false;

  // Of a stream that is no terminal.
  struct Piped {
    uint64_t kept = 0;      // bytes in the recording
    uint64_t not_kept = 0;  // passed on beyond the policy's limit
  };
  Piped piped_output_;
  Piped piped_errors_;

  std::string incoming_;  // from the client, not yet taken by the program
  std::string outgoing_;  // recorded, not yet taken by libssh
  bool is_outgoing_errors_ = false;
  std::string unsaid_;  // of say(), behind outgoing_
  bool has_input_ = false;
  bool is_input_over_ = false;
  bool is_program_over_ = false;
  bool is_client_gone_ = false;
  bool is_output_unwanted_ = false;

  PollSet::Slot input_slot_ = PollSet::kNone;
  PollSet::Slot output_slot_ = PollSet::kNone;
  PollSet::Slot errors_slot_ = PollSet::kNone;
};

}  // namespace cairn::agent
