#pragma once

#include <sys/types.h>

#include "agent/session/account.h"

namespace cairn::agent {

// Opens sockets for a worker until the worker is gone: what a session forwards is connected and listened to by a
// process that has become the person, so that the host's rules for the person hold for it (owner matches of a firewall,
// ports below 1024), and that carries the session's tag, so that the recording holds it. To be called in a process that
// is the person already, with one thread.
//   socket   SOCK_SEQPACKET; ToForwarder comes, FromForwarder goes, with the sockets (SCM_RIGHTS)
//   returns  the exit status
int run_forwarder(int socket, const Account& account);

}  // namespace cairn::agent
