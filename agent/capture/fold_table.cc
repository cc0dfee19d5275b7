#include "agent/capture/fold_table.h"

#include <fcntl.h>

#include <cerrno>

#include <bpf/bpf.h>

#include "agent/capture/noise_path.h"
#include "base/clock.h"

namespace cairn::agent {
namespace {

constexpr uint32_t kMinorBits = 20;  // include/linux/kdev_t.h

constexpr const char* kEveryProcess = "/proc/[pid]/";  // as proc(5) writes it

uint32_t device_of(const recording::v1::KernelPath& path) {
  return path.device_major() << kMinorBits | path.device_minor();
}

}  // namespace

void FoldTable::learn(const UniqueFd& counts, const recording::v1::Event& event) {
  if (paths_.size() >= bpf::FOLDS_MAX) return;
  if (event.has_exec() && event.exec().has_executable()) {
    const recording::v1::KernelPath& program = event.exec().executable();
    paths_.try_emplace({device_of(program), program.inode()}, program);
  }
  if (!event.has_open() || !event.open().has_file()) return;
  const recording::v1::Open& open = event.open();
  const bool is_reading = (open.flags() & O_ACCMODE) == O_RDONLY && !open.created();
  if (!is_reading) return;
  if (marks_noise_ && open.file().complete()) mark_noise(counts, open.file());
  if (knows_all_) paths_.try_emplace({device_of(open.file()), open.file().inode()}, open.file());
}

void FoldTable::mark_noise(const UniqueFd& counts, const recording::v1::KernelPath& file) {
  if (is_noise_path(file.path())) return mark(counts, file.inode(), file);
  const std::string_view name = process_listing_name(file.path());
  if (name.empty()) return;
  uint64_t key = 0;
  static_assert(sizeof(key) > bpf::FOLD_NAME_MAX);
  name.copy(reinterpret_cast<char*>(&key), bpf::FOLD_NAME_MAX);
  recording::v1::KernelPath all;
  all.set_path(kEveryProcess);
  all.mutable_path()->append(name);
  all.set_complete(true);
  all.set_device_major(file.device_major());
  all.set_device_minor(file.device_minor());
  mark(counts, key | FOLD_BY_NAME, all);
}

void FoldTable::mark(const UniqueFd& counts, uint64_t inode, const recording::v1::KernelPath& file) {
  const bpf::fold_key key{.program_inode = 0, .inode = inode, .program_device = 0, .device = device_of(file)};
  if (!paths_.try_emplace({key.device, key.inode}, file).second) return;
  const bpf::fold_count none{};
  // A full map is no error: what is not marked is recorded in full.
  bpf_map_update_elem(counts.get(), &key, &none, BPF_NOEXIST);
}

recording::v1::KernelPath FoldTable::path_of(FileId id) const {
  if (const auto known = paths_.find(id); known != paths_.end()) return known->second;
  recording::v1::KernelPath unknown;
  unknown.set_inode(id.second);
  unknown.set_device_major(id.first >> kMinorBits);
  unknown.set_device_minor(id.first & ((1U << kMinorBits) - 1));
  return unknown;
}

Result<void> FoldTable::report(const UniqueFd& counts, const std::function<void(recording::v1::Event)>& sink) {
  bpf::fold_key key{};
  const bpf::fold_key* before = nullptr;
  while (bpf_map_get_next_key(counts.get(), before, &key) == 0) {
    before = &key;
    bpf::fold_count now{};
    if (key.program_inode == 0 || bpf_map_lookup_elem(counts.get(), &key, &now) != 0) continue;
    const FileId program{key.program_device, key.program_inode};
    const FileId file{key.device, key.inode};
    bpf::fold_count& last = reported_[{program, file}];
    if (now.opens == last.opens && now.maps == last.maps) continue;
    recording::v1::Event event;
    event.set_boot_ns(SystemClock().boot_ns());
    recording::v1::Folded* folded = event.mutable_folded();
    *folded->mutable_program() = path_of(program);
    *folded->mutable_file() = path_of(file);
    folded->set_opens(now.opens - last.opens);
    folded->set_executable_maps(now.maps - last.maps);
    folded->set_last_boot_ns(now.last_boot_ns);
    last = now;
    sink(std::move(event));
  }
  if (errno != ENOENT) return fail_errno("read the counts of the session's files");
  return {};
}

}  // namespace cairn::agent
