#include "agent/upload/spool_watch.h"

#include <sys/inotify.h>

#include <array>
#include <cstring>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <fmt/format.h>

#include "base/unique_fd.h"

namespace cairn::agent {

Result<SpoolWatch> SpoolWatch::open(const asio::any_io_executor& executor, const std::filesystem::path& folder) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return fail_errno("inotify_init1");
  constexpr uint32_t kComeAndGo = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;
  if (::inotify_add_watch(inotify.get(), folder.c_str(), kComeAndGo) < 0)
    return fail_errno(fmt::format("watch {}", folder.string()));
  return SpoolWatch(asio::posix::stream_descriptor(executor, inotify.release()));
}

Result<void> SpoolWatch::follow(const std::filesystem::path& path, std::string name) {
  constexpr uint32_t kGrowth = IN_MODIFY | IN_CLOSE_WRITE | IN_DONT_FOLLOW;
  const int watch = ::inotify_add_watch(inotify_.native_handle(), path.c_str(), kGrowth);
  if (watch < 0) return fail_errno(fmt::format("watch {}", path.string()));
  followed_[watch] = std::move(name);
  return {};
}

awaitable<Result<SpoolChanges>> SpoolWatch::changes() {
  alignas(inotify_event) std::array<char, 16384> events;
  auto [error, got] = co_await inotify_.async_read_some(asio::buffer(events), kAwait);
  if (error) co_return fail(error, fmt::format("watch the spool: {}", error.message()));
  co_return parse(events.data(), got);
}

SpoolChanges SpoolWatch::parse(const char* events, size_t bytes) {
  SpoolChanges changes;
  for (size_t at = 0; at + sizeof(inotify_event) <= bytes;) {
    inotify_event event;
    std::memcpy(&event, events + at, sizeof event);
    at += sizeof event + event.len;
    const auto followed = followed_.find(event.wd);
    if ((event.mask & IN_IGNORED) != 0) {
      if (followed != followed_.end()) followed_.erase(followed);
    } else if (followed != followed_.end()) {
      changes.changed.push_back(followed->second);
    } else {
      changes.is_folder_changed = true;  // IN_Q_OVERFLOW too, whose descriptor is -1
    }
  }
  return changes;
}

}  // namespace cairn::agent
