#include "tests/evasion/flatten.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::evasion {
namespace {

using namespace recording::v1;

// "SOCKET_ACTION_BIND" → "bind".
std::string word(std::string name, std::string_view prefix) {
  name.erase(0, prefix.size());
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string ip(const std::string& address, uint32_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
  return fmt::format(fmt::runtime(address.size() == 4 ? "{}:{}" : "[{}]:{}"), text.data(), port);
}

void add_process(const Process& process, Flat& flat) {
  flat.emplace("pid", std::to_string(process.pid()));
  flat.emplace("comm", process.comm());
  if (process.injected()) flat.emplace("flag", "injected");
}

void add_path(const KernelPath& path, Flat& flat) {
  flat.emplace("path", path.path());
  flat.emplace("ino", std::to_string(path.inode()));
  if (!path.fs_path().empty()) flat.emplace("fs_path", path.fs_path());
  if (path.links() == 0) flat.emplace("flag", "deleted");
  if (path.path().starts_with("/memfd:")) flat.emplace("flag", "memfd");
}

void add_exec(const Exec& exec, Flat& flat) {
  flat.emplace("kind", "exec");
  add_process(exec.process(), flat);
  if (exec.has_executable()) add_path(exec.executable(), flat);
  flat.emplace("filename", exec.filename());
  flat.emplace("cwd", exec.cwd().path());
  flat.emplace("argv", fmt::format("{}", fmt::join(exec.argv(), " ")));
  flat.emplace("result", std::to_string(exec.result()));
  if (exec.script()) flat.emplace("flag", "script");
  if (exec.compat()) flat.emplace("flag", "compat");
}

void add_open(const Open& open, Flat& flat) {
  const bool is_received = open.way() == OPEN_WAY_RECEIVED;
  flat.emplace("kind", is_received ? "socket" : "open");
  if (is_received) flat.emplace("op", "receive_fd");
  add_process(open.process(), flat);
  if (open.has_file()) add_path(open.file(), flat);
  flat.emplace("claimed", open.claimed_path());
  flat.emplace("result", std::to_string(open.result()));
  flat.emplace("sensitive", Sensitive_Name(open.sensitive()).substr(std::string_view("SENSITIVE_").size()));
  flat.emplace("flags", std::to_string(open.flags()));
  if (open.way() == OPEN_WAY_URING) flat.emplace("flag", "uring");
  if (open.compat()) flat.emplace("flag", "compat");
}

void add_connect(const Connect& connect, Flat& flat) {
  flat.emplace("kind", "connect");
  add_process(connect.process(), flat);
  flat.emplace("remote", ip(connect.remote_address(), connect.remote_port()));
  flat.emplace("phase", connect.phase() == CONNECT_PHASE_ATTEMPT ? "attempt" : "result");
  flat.emplace("result", std::to_string(connect.result()));
}

std::string endpoint(uint32_t family, const Endpoint& endpoint) {
  if (family == AF_VSOCK) return fmt::format("vsock:{}:{}", endpoint.cid(), endpoint.port());
  if (family == AF_UNIX) return endpoint.path();
  return endpoint.address().empty() ? "" : ip(endpoint.address(), endpoint.port());
}

std::string protocol(uint32_t number) {
  switch (number) {
    case 6: return "tcp";
    case 17: return "udp";
    case 262: return "mptcp";
    default: return std::to_string(number);
  }
}

std::string family(uint32_t number) {
  switch (number) {
    case AF_UNIX: return "unix";
    case AF_PACKET: return "packet";
    case AF_VSOCK: return "vsock";
    default: return std::to_string(number);
  }
}

void add_socket(const Socket& socket, Flat& flat) {
  flat.emplace("kind", "socket");
  add_process(socket.process(), flat);
  std::string op = word(SocketAction_Name(socket.action()), "SOCKET_ACTION_");
  flat.emplace("op", op == "create" ? "socket" : op);
  flat.emplace("family", family(socket.family()));
  flat.emplace("protocol", protocol(socket.protocol()));
  flat.emplace("remote", endpoint(socket.family(), socket.remote()));
  flat.emplace("local", endpoint(socket.family(), socket.local()));
  flat.emplace("target", std::to_string(socket.peer_pid()));
  flat.emplace("result", std::to_string(socket.result()));
}

void add_change(const Change& change, Flat& flat) {
  flat.emplace("kind", "change");
  add_process(change.process(), flat);
  flat.emplace("op", word(ChangeKind_Name(change.kind()), "CHANGE_KIND_"));
  if (change.file().has_object()) add_path(change.file().object(), flat);
  flat.emplace("claimed", change.file().claimed());
  flat.emplace("claimed_second", change.target().claimed());
  flat.emplace("result", std::to_string(change.result()));
}

void add_tamper(const Tamper& tamper, Flat& flat) {
  flat.emplace("kind", "tamper");
  add_process(tamper.process(), flat);
  flat.emplace("op", word(TamperKind_Name(tamper.kind()), "TAMPER_KIND_"));
  if (tamper.has_file()) {
    add_path(tamper.file(), flat);
  } else {
    flat.emplace("path", "");
  }
  flat.emplace("target", std::to_string(tamper.target_pid()));
  flat.emplace("detail", tamper.text().empty() ? std::to_string(tamper.detail()) : tamper.text());
}

}  // namespace

Flat flatten(const Event& event) {
  Flat flat;
  switch (event.kind_case()) {
    case Event::kExec: add_exec(event.exec(), flat); break;
    case Event::kOpen: add_open(event.open(), flat); break;
    case Event::kConnect: add_connect(event.connect(), flat); break;
    case Event::kSocket: add_socket(event.socket(), flat); break;
    case Event::kChange: add_change(event.change(), flat); break;
    case Event::kTamper: add_tamper(event.tamper(), flat); break;
    default: break;
  }
  return flat;
}

}  // namespace cairn::evasion
