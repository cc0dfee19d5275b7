#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bpf/events.h"

namespace cairn::agent {

// True once the process behind the pidfd is dead, reaped or not.
bool has_ended(const UniqueFd& pidfd);

// Which tasks belong to which session, as the programs look it up: in the storage of the task itself, where the tier
// has BTF types, and by its pid.
class TaskTags {
 public:
  static Result<TaskTags> open(const std::filesystem::path& pins);

  // Tags the task behind `pidfd`, which belongs to the initial pid namespace. False: it has a tag already, and keeps
  // it.
  //   fails  ESRCH: it has been reaped; who has merely ended is given it like the living
  Result<bool> give(const UniqueFd& pidfd, const bpf::tag& tag) const;
  // Puts `tag` in place of the one it has, and returns that.
  Result<bpf::tag> replace(const UniqueFd& pidfd, const bpf::tag& tag) const;

 private:
  TaskTags(UniqueFd storage, UniqueFd pids) : storage_(std::move(storage)), pids_(std::move(pids)) {}

  UniqueFd storage_;  // none: Tier C
  UniqueFd pids_;
};

}  // namespace cairn::agent
