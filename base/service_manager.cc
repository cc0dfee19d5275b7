#include "base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "base/unique_fd.h"

namespace cairn {
namespace {

std::string take_from_environment(const char* name) {
  const char* value = std::getenv(name);
  const std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

uint64_t number_or_zero(const std::string& digits) {
  uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// A status is one line of the datagram: a line break in it would begin another assignment.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

}  // namespace

ServiceManager::ServiceManager() : address_(take_from_environment("NOTIFY_SOCKET")) {
  const uint64_t watchdog_us = number_or_zero(take_from_environment("WATCHDOG_USEC"));
  const uint64_t watched_pid = number_or_zero(take_from_environment("WATCHDOG_PID"));
  if (watched_pid == 0 || watched_pid == static_cast<uint64_t>(::getpid()))
    watchdog_limit_ = std::chrono::milliseconds(std::min<uint64_t>(watchdog_us / 1000, 86'400'000));
}

void ServiceManager::ready(std::string_view status) const { send("READY=1\nSTATUS=" + one_line(status)); }

void ServiceManager::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1'000));
}

void ServiceManager::stopping(std::string_view status) const { send("STOPPING=1\nSTATUS=" + one_line(status)); }

void ServiceManager::say(std::string_view status) const { send("STATUS=" + one_line(status)); }

awaitable<void> ServiceManager::feed_watchdog() const {
  while (!address_.empty() && watchdog_limit_.count() > 0) {
    send("WATCHDOG=1");
    co_await sleep_for(watchdog_limit_ / 2);
  }
}

// A path, or "@" and a name in the abstract namespace. Whoever does not listen misses it; nothing of ours depends on
// it.
void ServiceManager::send(const std::string& state) const {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (address_.empty() || address_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  const auto address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
           reinterpret_cast<const sockaddr*>(&address), address_bytes);
}

}  // namespace cairn
