#include "agent/session/forwarder.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <chrono>
#include <cctype>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

#include "agent/session/control_socket.h"
#include "agent/session/socket_peer.h"
#include "base/child_process.h"
#include "base/free_with.h"
#include "base/result.h"
#include "base/spawn.h"
#include "proto/agent.pb.h"

namespace cairn::agent {
namespace {

namespace ip = boost::asio::ip;
using v1::FromForwarder;
using v1::ToForwarder;

constexpr int kBacklog = 128;
constexpr std::chrono::milliseconds kConnectLimit{60'000};
constexpr std::chrono::seconds kXauthLimit{10};
// As sshd's X11DisplayOffset: the host's own displays come first.
constexpr uint16_t kFirstDisplay = 10;
constexpr uint16_t kLastDisplay = 999;
constexpr uint16_t kX11Port = 6000;
constexpr const char* kXauth = "/usr/bin/xauth";

// What a request came to: sockets and where they are, or why not.
struct Opened {
  std::vector<UniqueFd> sockets;
  uint16_t port = 0;
  std::string place;
};

// ---- connect

Result<void> await_connection(int fd) {
  struct pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
  int ready = 0;
  while ((ready = ::poll(&wait, 1, static_cast<int>(kConnectLimit.count()))) < 0 && errno == EINTR) {
  }
  if (ready == 0) return fail(Errc::kTimeout, std::strerror(ETIMEDOUT));
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return fail(Errc::kUnavailable, std::strerror(error));
  return {};
}

Result<UniqueFd> connect_to(const addrinfo& address) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(Errc::kUnavailable, std::strerror(errno));
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return fail(Errc::kUnavailable, std::strerror(errno));
  if (Result<void> connected = await_connection(fd.get()); !connected) return fail(connected);
  return fd;
}

Result<Opened> connect_to(const v1::ForwardConnect& wanted) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int unknown = ::getaddrinfo(wanted.host().c_str(), std::to_string(wanted.port()).c_str(), &hints, &found);
  if (unknown != 0) return fail(Errc::kUnavailable, ::gai_strerror(unknown));
  const std::unique_ptr<addrinfo, FreeWith<::freeaddrinfo>> addresses(found);
  std::string why = "no address";
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Result<UniqueFd> connected = connect_to(*address);
    if (connected) {
      Opened opened{.sockets = {}, .port = 0, .place = peer_of_socket(connected->get())};
      opened.sockets.push_back(std::move(*connected));
      return opened;
    }
    why = connected.error().message;
  }
  return fail(Errc::kUnavailable, why);
}

// ---- listen

// Port 0: any.
Result<UniqueFd> listen_at(const ip::address& address, uint16_t port) {
  const ip::tcp::endpoint at(address, port);
  UniqueFd fd(::socket(at.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.is_v6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), at.data(), static_cast<socklen_t>(at.size())) != 0 || ::listen(fd.get(), kBacklog) != 0)
    return fail_errno(fmt::format("listen on port {}", port));
  return fd;
}

// The host has no such family, or no address of it.
bool is_absent(const Error& error) {
  return error.code == std::errc::address_family_not_supported || error.code == std::errc::address_not_available;
}

// On both loopback addresses as far as the host has them; with one of them taken, on neither.
Result<Opened> listen_on_loopback(uint16_t port) {
  Opened opened;
  for (const ip::address& address :
       {ip::address(ip::address_v4::loopback()), ip::address(ip::address_v6::loopback())}) {
    Result<UniqueFd> fd = listen_at(address, opened.port != 0 ? opened.port : port);
    if (!fd && !is_absent(fd.error())) return fail(fd);
    if (!fd) continue;
    opened.port = port_of_socket(fd->get());
    opened.sockets.push_back(std::move(*fd));
  }
  if (opened.sockets.empty()) return fail(Errc::kUnavailable, "this host has no loopback address");
  return opened;
}

// ---- the agent's socket

// /tmp/ssh-XXXXXXXXXX/agent.PID, where sshd puts it, gone with the forwarder.
class AgentSocket {
 public:
  AgentSocket() = default;
  AgentSocket(const AgentSocket&) = delete;
  AgentSocket& operator=(const AgentSocket&) = delete;
  ~AgentSocket() {
    if (!path_.empty()) ::unlink(path_.c_str());
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }

  Result<Opened> open() {
    std::string folder = "/tmp/ssh-XXXXXXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return fail_errno("mkdtemp in /tmp");
    folder_ = folder;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = fmt::format("{}/agent.{}", folder, ::getpid());
    std::copy(path.begin(), path.end(), address.sun_path);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno("socket");
    ::umask(0177);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), kBacklog) != 0)
      return fail_errno(fmt::format("listen on {}", path));
    path_ = path;
    Opened opened{.sockets = {}, .port = 0, .place = path};
    opened.sockets.push_back(std::move(fd));
    return opened;
  }

 private:
  std::string folder_;
  std::string path_;
};

// ---- X11

bool is_plain(std::string_view text) {
  return !text.empty() && text.size() <= 256 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
  });
}

// Tells the person's programs the cookie: xauth(1) writes it into their file.
Result<void> run_xauth(const std::string& commands, const Account& account) {
  const Result<UniqueFd> input = memory_file(commands);
  if (!input) return fail(input);
  const SpawnPlan plan{.program = kXauth,
                       .arguments = {"xauth", "-q", "-"},
                       .environment = {"HOME=" + account.home, "PATH=/usr/bin:/bin"},
                       .descriptors = {{.fd = input->get(), .as = STDIN_FILENO},
                                       {.fd = STDOUT_FILENO, .as = STDOUT_FILENO},
                                       {.fd = STDERR_FILENO, .as = STDERR_FILENO}}};
  const Result<pid_t> started = spawn(plan);
  if (!started) return fail(started, "this node has no xauth; an administrator installs the package xauth");
  const Result<int> status = wait_for_child(*started, kXauthLimit, nullptr);
  if (!status) return fail(status, "xauth");
  if (*status != 0) return fail(Errc::kUnavailable, fmt::format("xauth ended with {}", *status));
  return {};
}

Result<Opened> open_display(const v1::ForwardX11& wanted, const Account& account) {
  if (!is_plain(wanted.protocol()) || !is_plain(wanted.cookie()))
    return fail(Errc::kInvalid, "the client sent an X11 cookie that is none");
  Result<Opened> opened = fail(Errc::kUnavailable, "every display up to 999 is taken");
  uint16_t display = kFirstDisplay;
  while (display <= kLastDisplay && !(opened = listen_on_loopback(static_cast<uint16_t>(kX11Port + display))))
    ++display;
  if (!opened) return opened;
  const std::string name = fmt::format("unix:{}.{}", display, wanted.screen());
  const std::string commands = fmt::format("remove {}\nadd {} {} {}\n", name, name, wanted.protocol(), wanted.cookie());
  if (Result<void> told = run_xauth(commands, account); !told) return fail(told);
  opened->place = fmt::format("localhost:{}.{}", display, wanted.screen());
  return opened;
}

// ---- answers

void answer(int socket, uint64_t id, const Result<Opened>& opened) {
  FromForwarder message;
  message.set_id(id);
  std::vector<int> sockets;
  if (opened) {
    message.set_port(opened->port);
    message.set_place(opened->place);
    for (const UniqueFd& fd : opened->sockets) sockets.push_back(fd.get());
  } else {
    message.set_error(opened.error().message);
  }
  // Without a reader nobody waits for it.
  (void)send_control(socket, message, sockets);
}

Result<Opened> listen_for(const v1::ForwardListen& wanted) {
  if (wanted.port() > UINT16_MAX) return fail(Errc::kInvalid, fmt::format("port {}", wanted.port()));
  return listen_on_loopback(static_cast<uint16_t>(wanted.port()));
}

}  // namespace

int run_forwarder(int socket, const Account& account) {
  AgentSocket agent;
  for (;;) {
    ToForwarder message;
    const Result<bool> received = receive_control(socket, &message, Waiting::kForMessage);
    if (!received) return 0;
    const uint64_t id = message.id();
    if (message.has_connect()) {
      // Names and distant hosts take their time, each its own; the worker bounds how many there are.
      std::thread([socket, id, wanted = message.connect()] { answer(socket, id, connect_to(wanted)); }).detach();
    } else if (message.has_listen()) {
      answer(socket, id, listen_for(message.listen()));
    } else if (message.has_agent()) {
      answer(socket, id, agent.open());
    } else if (message.has_x11()) {
      answer(socket, id, open_display(message.x11(), account));
    }
  }
}

}  // namespace cairn::agent
