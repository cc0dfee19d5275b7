#pragma once

#include <cstdint>
#include <string>

namespace cairn::agent {

// Who is at the other end of a TCP socket, "ip:port"; empty for a unix socket, or where the kernel does not say.
std::string peer_of_socket(int fd);
// The port that a TCP socket is bound to; 0 where the kernel does not say.
uint16_t port_of_socket(int fd);

}  // namespace cairn::agent
