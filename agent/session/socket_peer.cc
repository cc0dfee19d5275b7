#include "agent/session/socket_peer.h"

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>

#include "tunnel/connect.h"

namespace cairn::agent {
namespace {

using Endpoint = boost::asio::ip::tcp::endpoint;

bool is_ip(const Endpoint& endpoint) {
  return endpoint.data()->sa_family == AF_INET || endpoint.data()->sa_family == AF_INET6;
}

}  // namespace

std::string peer_of_socket(int fd) {
  Endpoint peer;
  socklen_t size = static_cast<socklen_t>(peer.capacity());
  if (::getpeername(fd, peer.data(), &size) != 0 || !is_ip(peer)) return {};
  return tunnel::address_text({.host = peer.address().to_string(), .port = peer.port()});
}

uint16_t port_of_socket(int fd) {
  Endpoint own;
  socklen_t size = static_cast<socklen_t>(own.capacity());
  return ::getsockname(fd, own.data(), &size) == 0 && is_ip(own) ? own.port() : uint16_t{0};
}

}  // namespace cairn::agent
