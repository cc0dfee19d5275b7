#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace cairn::agent {

constexpr const char* kPamService = "cairn";

// One PAM transaction of the service "cairn" (pam(3)): account, credentials, session. The person has proved who they
// are with their certificate; pam_authenticate is never called and no module may ask anything.
class PamSession {
 public:
  struct Subject {
    std::string login;        // the account
    std::string user;         // PAM_RUSER: the person
    std::string client_host;  // PAM_RHOST
    std::string tty;          // PAM_TTY: "/dev/pts/7", or "ssh" without one, as sshd says
    std::string service_dir;  // where the service file lies; empty = /etc/pam.d
  };

  //   fails  kUnavailable: there is no service file; the sentence names it
  static Result<PamSession> start(Subject subject);

  PamSession(PamSession&&) noexcept;
  PamSession& operator=(PamSession&&) noexcept;
  ~PamSession();  // closes what was opened

  // Account management: expired and locked accounts, /etc/nologin, access.conf.
  //   fails  kDenied: with what PAM says
  Result<void> admit();

  // Sets the credentials and opens the session: limits, loginuid, environment. The process must have the account's
  // supplementary groups by now, since modules may add to them.
  Result<void> open();

  // "NAME=value", as the modules have set them.
  std::vector<std::string> environment() const;

  // What modules had to say so far, one line each: messages, then errors. Taken: the next call returns what came since.
  std::string take_messages();
  std::string take_errors();

 private:
  struct State;
  explicit PamSession(std::unique_ptr<State> state);
  Failure refuse(int code, std::string_view what) const;

  std::unique_ptr<State> state_;
};

}  // namespace cairn::agent
