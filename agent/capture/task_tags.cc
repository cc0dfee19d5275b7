#include "agent/capture/task_tags.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "agent/capture/pins.h"
#include "agent/capture/tier.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

constexpr size_t kFdinfoMax = 4096;
constexpr std::string_view kPidField = "\nPid:\t";

// As proc_pid_fdinfo(5) has it: -1 once the task has been reaped.
Result<uint32_t> pid_behind(const UniqueFd& pidfd) {
  const Result<std::string> text = read_file(fmt::format("/proc/self/fdinfo/{}", pidfd.get()), kFdinfoMax);
  if (!text) return fail(text);
  const size_t at = text->find(kPidField);
  int pid = 0;
  if (at != std::string::npos) {
    std::from_chars(text->data() + at + kPidField.size(), text->data() + text->size(), pid);
  }
  if (pid <= 0) return fail_errno(ESRCH, "tag the task");
  return static_cast<uint32_t>(pid);
}

}  // namespace

bool has_ended(const UniqueFd& pidfd) {
  pollfd waited{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, 0) == 1;
}

Result<TaskTags> TaskTags::open(const std::filesystem::path& pins) {
  UniqueFd storage;
  if (::access((pins / kTagsMap).c_str(), F_OK) == 0) {
    Result<UniqueFd> opened = open_pinned_map(pins, kTagsMap);
    if (!opened) return fail(opened);
    storage = *std::move(opened);
  }
  Result<UniqueFd> pids = open_pinned_map(pins, kPidsMap);
  if (!pids) return fail(pids);
  return TaskTags(std::move(storage), *std::move(pids));
}

Result<bool> TaskTags::give(const UniqueFd& pidfd, const bpf::tag& tag) const {
  const Result<uint32_t> pid = pid_behind(pidfd);
  if (!pid) return fail(pid);
  const int task = pidfd.get();
  if (storage_ && bpf_map_update_elem(storage_.get(), &task, &tag, BPF_NOEXIST) != 0) {
    if (errno == EEXIST) return false;
    return fail_errno(errno == ENOENT ? ESRCH : errno, "tag the task");  // ENOENT: a pidfd without a task
  }
  if (bpf_map_update_elem(pids_.get(), &*pid, &tag, storage_ ? BPF_ANY : BPF_NOEXIST) != 0) {
    if (errno == EEXIST) return false;
    return fail_errno("tag the task by its pid");
  }
  // Who ended before it was put in took nothing out: a stranger that is given the same pid would be found by it.
  if (has_ended(pidfd)) bpf_map_delete_elem(pids_.get(), &*pid);
  return true;
}

Result<bpf::tag> TaskTags::replace(const UniqueFd& pidfd, const bpf::tag& tag) const {
  const Result<uint32_t> pid = pid_behind(pidfd);
  if (!pid) return fail(pid);
  const int task = pidfd.get();
  bpf::tag before{};
  const int found =
      storage_ ? bpf_map_lookup_elem(storage_.get(), &task, &before) : bpf_map_lookup_elem(pids_.get(), &*pid, &before);
  if (found != 0) return fail_errno("read the task's tag");
  if (storage_ && bpf_map_update_elem(storage_.get(), &task, &tag, BPF_EXIST) != 0) {
    return fail_errno("replace the task's tag");
  }
  if (bpf_map_update_elem(pids_.get(), &*pid, &tag, BPF_ANY) != 0) return fail_errno("replace the task's tag");
  if (has_ended(pidfd)) bpf_map_delete_elem(pids_.get(), &*pid);
  return before;
}

}  // namespace cairn::agent
