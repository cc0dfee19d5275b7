#include <arpa/inet.h>
#include <sys/socket.h>

#include "agent/capture/record_parts.h"

namespace cairn::agent {
namespace {

using recording::v1::Event;

std::string address_of(const unsigned char* bytes, size_t length) {
  return {reinterpret_cast<const char*>(bytes), length};
}

bool is_zero(const std::string& bytes) { return bytes.find_first_not_of('\0') == std::string::npos; }

struct RawEndpoint {
  const unsigned char* address;
  uint16_t port;  // network order
  std::string_view path;
};

void set_endpoint(uint32_t family, const RawEndpoint& from, recording::v1::Endpoint* to) {
  switch (family) {
    case AF_INET:
    case AF_INET6:
      to->set_address(address_of(from.address, family == AF_INET ? 4 : 16));
      to->set_port(ntohs(from.port));
      if (to->port() == 0 && is_zero(to->address())) to->Clear();
      break;
    case AF_UNIX: {
      // A path ends at its NUL; an abstract name begins with one and has the length that it has.
      const bool is_abstract = from.path.starts_with('\0');
      to->set_path(std::string(is_abstract ? from.path : until_nul(from.path)));
      break;
    }
    case AF_VSOCK: {
      uint32_t words[2];
      std::memcpy(words, from.address, sizeof(words));
      to->set_cid(words[0]);
      to->set_port(words[1]);
      break;
    }
    default: break;
  }
}

}  // namespace

std::string_view decode_connect(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::connect_event>(record);
  if (!from || record.size() != sizeof(*from)) return "not of a connect record's size";
  if (from->family != 4 && from->family != 6) return "address family";
  if (from->phase != bpf::CONNECT_ATTEMPT && from->phase != bpf::CONNECT_RESULT) return "phase";
  if (!is_result(from->result) || from->result > 0) return "result is none";
  const size_t address_bytes = from->family == 4 ? 4 : 16;
  recording::v1::Connect* to = event->mutable_connect();
  set_process(from->process, to->mutable_process());
  to->set_phase(from->phase == bpf::CONNECT_ATTEMPT ? recording::v1::CONNECT_PHASE_ATTEMPT
                                                    : recording::v1::CONNECT_PHASE_RESULT);
  to->set_socket_cookie(from->socket_cookie);
  to->set_family(from->family);
  to->set_remote_address(address_of(from->remote_address, address_bytes));
  to->set_remote_port(ntohs(from->remote_port));
  to->set_local_port(ntohs(from->local_port));
  const std::string local = address_of(from->local_address, address_bytes);
  if (!is_zero(local)) to->set_local_address(local);
  to->set_result(from->result);
  return "";
}

std::string_view decode_socket(std::string_view record, Event* event) {
  const auto from = read_struct<bpf::socket_event>(record);
  if (!from) return "shorter than a socket record";
  if (!is_result(from->result)) return "result is none";
  if (!recording::v1::SocketAction_IsValid(static_cast<int>(from->op))) return "of no known action";
  Tail tail(record.substr(sizeof(*from)));
  const std::optional<std::string_view> local_path = tail.take(from->local_bytes);
  const std::optional<std::string_view> remote_path = tail.take(from->remote_bytes);
  if (!local_path || !remote_path || !tail.is_empty()) return "path of a unix socket";
  recording::v1::Socket* to = event->mutable_socket();
  set_process(from->process, to->mutable_process());
  to->set_action(static_cast<recording::v1::SocketAction>(from->op));
  to->set_family(from->family);
  to->set_type(from->type);
  to->set_protocol(from->protocol);
  set_endpoint(from->family, {from->local_address, from->local_port, *local_path}, to->mutable_local());
  set_endpoint(from->family, {from->remote_address, from->remote_port, *remote_path}, to->mutable_remote());
  to->set_remote_claimed((from->notes & bpf::SOCKET_REMOTE_CLAIMED) != 0);
  to->set_peer_pid(from->peer_pid);
  to->set_socket_cookie(from->socket_cookie);
  to->set_result(visible_result(from->result));
  to->set_uring((from->notes & bpf::SOCKET_BY_URING) != 0);
  to->set_compat((from->notes & bpf::SOCKET_COMPAT) != 0);
  return "";
}

}  // namespace cairn::agent
