#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bpf/events.h"
#include "proto/recording.pb.h"

namespace cairn::agent {

// What of a session is counted in the kernel and not recorded one by one. It learns from the session's events which
// files are noise and marks them there; report() then says how often each program used them. Not thread-safe.
class FoldTable {
 public:
  //   marks_noise  what each start of a program reads is counted from its second use on
  //   knows_all    remembers every file that is read, since the kernel may count any (LossPolicy::kAggregate)
  FoldTable(bool marks_noise, bool knows_all) : marks_noise_(marks_noise), knows_all_(knows_all) {}

  void learn(const UniqueFd& counts, const recording::v1::Event& event);

  // A Folded event for each program and file that was used since the last report.
  Result<void> report(const UniqueFd& counts, const std::function<void(recording::v1::Event)>& sink);

 private:
  using FileId = std::pair<uint32_t, uint64_t>;  // device and inode as bpf::fold_key has them

  void mark_noise(const UniqueFd& counts, const recording::v1::KernelPath& file);
  void mark(const UniqueFd& counts, uint64_t inode, const recording::v1::KernelPath& file);
  recording::v1::KernelPath path_of(FileId id) const;

  bool marks_noise_;
  bool knows_all_;
  std::map<FileId, recording::v1::KernelPath> paths_;  // of marked files and of programs, at most bpf::FOLDS_MAX
  std::map<std::pair<FileId, FileId>, bpf::fold_count> reported_;
};

}  // namespace cairn::agent
