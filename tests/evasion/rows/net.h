#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/evasion/rows/row.h"

namespace row {

inline sockaddr_in v4(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline sockaddr_in6 v6(uint16_t port, bool is_mapped = false) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  ::inet_pton(AF_INET6, is_mapped ? "::ffff:127.0.0.1" : "::1", &address.sin6_addr);
  return address;
}

template <class T> sockaddr* as_sockaddr(T& address) { return reinterpret_cast<sockaddr*>(&address); }

// A listener on the loopback in this process; its port in *port. Connections are taken by the kernel's backlog.
inline int listen_on(int family, uint16_t* port, int protocol = 0) {
  const int fd = must(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol), "socket");
  sockaddr_in6 address{};
  socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  address.sin6_family = static_cast<sa_family_t>(family);
  must(::bind(fd, as_sockaddr(address), length), "bind");
  must(::listen(fd, 4096), "listen");
  must(::getsockname(fd, as_sockaddr(address), &length), "getsockname");
  *port = ntohs(address.sin6_port);
  return fd;
}

inline std::string at_v4(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }
inline std::string at_v6(uint16_t port) { return "[::1]:" + std::to_string(port); }

}  // namespace row
