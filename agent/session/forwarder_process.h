#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "agent/session/login_process.h"
#include "agent/session/session_host.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace cairn::agent {

struct ForwarderAnswer {
  v1::FromForwarder message;
  std::vector<UniqueFd> sockets;
};

// The worker's end of a forwarder (agent/session/forwarder.h). One thread.
class ForwarderProcess {
 public:
  // Logs it in: tagged, through PAM, as the person. Does not wait for that.
  static Result<ForwarderProcess> start(SessionHost* host);

  int socket() const { return socket_.get(); }  // readable when receive() has something to say

  // Asks for something; the answer carries the id that is returned.
  Result<uint64_t> send(v1::ToForwarder request);
  bool has_kept() const { return !kept_.empty(); }
  // The next answer; nullopt: none has come.
  //   fails  the forwarder is gone, with its reason where it gave one
  Result<std::optional<ForwarderAnswer>> receive();
  // Asks and waits. What else is answered meanwhile receive() has later.
  //   fails  the forwarder's own sentence; kTimeout
  Result<ForwarderAnswer> ask(v1::ToForwarder request, std::chrono::milliseconds limit);

  // Ends it: it closes what it holds. The login process, which then ends its PAM session.
  LoginProcess end() &&;

 private:
  ForwarderProcess(UniqueFd socket, LoginProcess login) : socket_(std::move(socket)), login_(std::move(login)) {}
  Result<std::optional<ForwarderAnswer>> read();

  UniqueFd socket_;
  LoginProcess login_;
  uint64_t last_id_ = 0;
  std::deque<ForwarderAnswer> kept_;
};

}  // namespace cairn::agent
