#include "cli/player/json_event.h"

#include <arpa/inet.h>

#include <array>

#include "base/bytes.h"
#include "cli/print/json.h"

namespace cairn::cli {
namespace {

std::string ip_text(const std::string& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = address.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  const bool is_address = address.size() == sizeof(in_addr) || address.size() == sizeof(in6_addr);
  if (!is_address || ::inet_ntop(family, address.data(), text.data(), text.size()) == nullptr) return to_hex(address);
  return text.data();
}

std::array<std::string*, 2> addresses_in(recording::v1::Event& event) {
  if (event.has_connect()) {
    return {event.mutable_connect()->mutable_local_address(), event.mutable_connect()->mutable_remote_address()};
  }
  recording::v1::Socket* socket = event.mutable_socket();
  return {socket->mutable_local()->mutable_address(), socket->mutable_remote()->mutable_address()};
}

}  // namespace

nlohmann::ordered_json event_to_json(const recording::v1::Event& event) {
  if (!event.has_connect() && !event.has_socket()) return to_json(event, Fields::kSet);
  recording::v1::Event readable = event;
  for (std::string* address : addresses_in(readable)) {
    if (!address->empty()) *address = ip_text(*address);
  }
  return to_json(readable, Fields::kSet);
}

}  // namespace cairn::cli
