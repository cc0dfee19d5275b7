#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/session/certificate_check.h"
#include "agent/session/login_process.h"
#include "base/result.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// What an SSH server asks of the session that it serves: who may come in, what is recorded, who starts the programs.
// The server calls from its own thread; SessionHost calls nothing back, it makes wake_fd() readable.
class SessionHost {
 public:
  virtual ~SessionHost() = default;

  // Whether a key that a client offers could open a session for `login`. Asked before the client proves that it holds
  // the key, possibly for several keys in turn.
  //   key_blob  the SSH public key or certificate
  //   fails     with the sentence that the person is shown
  virtual Result<void> examine(const std::string& login, std::string_view key_blob) = 0;

  // The same after the proof. On success the session is authorized, recorded and captured from here on. Once; may take
  // seconds.
  virtual Result<CertificateTerms> admit(const std::string& login, std::string_view key_blob) = 0;

  // ---- after admit()

  // Takes an event into the recording; boot_ns is set by the caller.
  virtual void record(recording::v1::Event event) = 0;
  // The same for what a program has written just now.
  virtual void record_output(uint32_t channel, recording::v1::Stream stream, std::string_view bytes) = 0;
  virtual uint64_t boot_ns() const = 0;
  // The policy wants what is typed into terminals.
  virtual bool records_input() const = 0;
  // Of a stream of output that goes to no terminal, at most so many bytes are recorded.
  virtual uint64_t piped_output_bytes() const = 0;
  // False: more output than the disk takes is waiting, read no more of the programs until wake_fd() says so.
  virtual bool has_room() const = 0;

  // A login process of this session, tagged and waiting at its gate.
  virtual Result<LoginProcess> start_login(LoginDescriptors descriptors) = 0;
  // What every channel's start has in common: login, person, session, client.
  virtual v1::LoginStart login_start() const = 0;

  // ---- at any time

  // Why the programs stand still, in a sentence for the person; nullopt while they may go on.
  virtual std::optional<std::string> hold_reason() const = 0;

  // Readable after has_room(), hold_reason() or end_reason() may have changed. An eventfd: the server reads it empty.
  virtual int wake_fd() const = 0;
  // Why the connection must end now, in a sentence for the person; nullopt while it may go on.
  virtual std::optional<std::string> end_reason() const = 0;
};

}  // namespace cairn::agent
