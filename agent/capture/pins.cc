#include "agent/capture/pins.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "bpf/events.h"

namespace cairn::agent {
namespace {

constexpr size_t kFolderNameLength = 12;
constexpr std::chrono::seconds kDetachLimit{5};
constexpr std::chrono::milliseconds kDetachStep{5};

bool is_pin_folder(std::string_view name) {
  if (name.ends_with(kPartialSuffix)) name.remove_suffix(kPartialSuffix.size());
  return name.size() == kFolderNameLength && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_there(const std::filesystem::path& path) { return ::access(path.c_str(), F_OK) == 0; }

// What is there whether sessions are or not.
std::filesystem::path standing_pin(const std::filesystem::path& folder, const Program& program) {
  return folder / (program.is_on_demand ? on_demand_pin(program) : std::string(program.name));
}

bool is_whole(const std::filesystem::path& folder, const Tier& tier) {
  return std::ranges::all_of(tier.pinned_maps(), [&](const char* name) { return is_there(folder / name); }) &&
         std::ranges::all_of(tier.programs, [&](const Program& program) {
           const bool may_be_missing = program.is_optional || !program.tracepoint.empty() || !program.function.empty();
           return may_be_missing || is_there(standing_pin(folder, program));
         });
}

// The programs that this kernel took.
std::vector<std::string> hooks_in(const std::filesystem::path& folder, const Tier& tier) {
  std::vector<std::string> hooks;
  size_t functions = 0;
  for (const Program& program : tier.programs) {
    if (!is_there(standing_pin(folder, program))) continue;
    if (program.function.empty()) {
      hooks.emplace_back(program.name);
    } else {
      ++functions;
    }
  }
  if (functions > 0) hooks.push_back(fmt::format("{} system calls", functions));
  return hooks;
}

const Tier* tier_of(const std::filesystem::path& folder) {
  const auto found =
      std::ranges::find_if(tiers(), [&](const Tier& tier) { return folder.filename() == tier.folder(); });
  return found == tiers().end() ? nullptr : &*found;
}

Result<void> attach(const std::filesystem::path& folder, const Program& program) {
  const std::filesystem::path from = folder / on_demand_pin(program);
  const UniqueFd loaded(bpf_obj_get(from.c_str()));
  if (!loaded) return fail_errno(fmt::format("open pinned program {}", from.string()));
  // What a BTF-typed program traces was said when it was loaded.
  const UniqueFd link(bpf_raw_tracepoint_open(program.raw_tracepoint, loaded.get()));
  if (!link) return fail_errno(fmt::format("attach {}", program.name));
  const std::filesystem::path pin = folder / program.name;
  if (bpf_obj_pin(link.get(), pin.c_str()) != 0) return fail_errno(fmt::format("pin {}", pin.string()));
  return {};
}

// The kernel gives a pinned link up some time after its pin is gone (a grace period of RCU, then a worker). A program
// that was attached anew in between would run twice for each call and record it twice: so this returns when it is off.
Result<void> detach(const std::filesystem::path& pin) {
  bpf_link_info info{};
  uint32_t info_bytes = sizeof(info);
  {
    const UniqueFd link(bpf_obj_get(pin.c_str()));
    if (!link) return fail_errno(fmt::format("open pinned link {}", pin.string()));
    if (bpf_obj_get_info_by_fd(link.get(), &info, &info_bytes) != 0) return fail_errno(pin.string());
  }
  if (::unlink(pin.c_str()) != 0) return fail_errno(pin.string());
  const auto deadline = std::chrono::steady_clock::now() + kDetachLimit;
  while (UniqueFd(bpf_link_get_fd_by_id(info.id))) {
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::kUnavailable, fmt::format("{} is still attached; something else holds its link", pin.string()));
    }
    std::this_thread::sleep_for(kDetachStep);
  }
  // Its number is given back a moment before the program is taken off.
  std::this_thread::sleep_for(kDetachStep);
  return {};
}

}  // namespace

std::string on_demand_pin(const Program& program) { return fmt::format("{}{}", program.name, kProgramSuffix); }

Result<void> attach_on_demand(const std::filesystem::path& folder) {
  const Tier* tier = tier_of(folder);
  if (tier == nullptr) return {};
  for (const Program& program : tier->programs) {
    if (!program.is_on_demand || is_there(folder / program.name)) continue;
    if (Result<void> attached = attach(folder, program); !attached) return attached;
  }
  return {};
}

Result<bool> detach_on_demand(const std::filesystem::path& folder) {
  const Tier* tier = tier_of(folder);
  bool was_attached = false;
  if (tier == nullptr || serves_sessions(folder)) return false;
  for (const Program& program : tier->programs) {
    const std::filesystem::path pin = folder / program.name;
    if (!program.is_on_demand || !is_there(pin)) continue;
    if (Result<void> detached = detach(pin); !detached) return fail(detached);
    was_attached = true;
  }
  return was_attached;
}

Result<UniqueFd> lock_pins(const std::filesystem::path& bpf_dir) {
  UniqueFd opened(::open(bpf_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return fail_errno(fmt::format("open {}", bpf_dir.string()));
  int failed = 0;
  do {
    failed = ::flock(opened.get(), LOCK_EX);
  } while (failed != 0 && errno == EINTR);
  if (failed != 0) return fail_errno(fmt::format("lock {}", bpf_dir.string()));
  return opened;
}

std::optional<PinnedTier> find_pinned(const std::filesystem::path& bpf_dir, std::string_view only, bool* is_torn) {
  for (const Tier& tier : tiers()) {
    if (!only.empty() && tier.name != only) continue;
    PinnedTier found{.folder = bpf_dir / tier.folder(), .status = {.tier = std::string(tier.name), .hooks = {}}};
    if (!is_there(found.folder)) continue;
    if (is_whole(found.folder, tier)) {
      found.status.hooks = hooks_in(found.folder, tier);
      return found;
    }
    if (is_torn != nullptr) *is_torn = true;
  }
  return std::nullopt;
}

Result<UniqueFd> open_pinned_map(const std::filesystem::path& folder, const char* name) {
  const std::filesystem::path pin = folder / name;
  UniqueFd map(bpf_obj_get(pin.c_str()));  // the kernel makes BPF descriptors close-on-exec
  if (!map) return fail_errno(fmt::format("open pinned map {}", pin.string()));
  return map;
}

Result<UniqueFd> inner_map(const UniqueFd& outer, uint64_t session_key) {
  uint32_t id = 0;
  if (bpf_map_lookup_elem(outer.get(), &session_key, &id) != 0) {
    if (errno == ENOENT) return UniqueFd();
    return fail_errno(fmt::format("look up session {}", session_key));
  }
  UniqueFd inner(bpf_map_get_fd_by_id(id));
  if (!inner && errno == ENOENT) return UniqueFd();  // unregistered since
  if (!inner) return fail_errno(fmt::format("open the map of session {}", session_key));
  return inner;
}

Result<void> unregister(const UniqueFd& outer, uint64_t session_key) {
  // For a map of maps the kernel ends this call with synchronize_rcu (maybe_wait_bpf_programs in kernel/bpf/syscall.c).
  if (bpf_map_delete_elem(outer.get(), &session_key) == 0 || errno == ENOENT) return {};
  return fail_errno(fmt::format("unregister session {}", session_key));
}

Result<void> protect_this_process(const std::filesystem::path& folder) {
  const Result<UniqueFd> pids = open_pinned_map(folder, kProtectedMap);
  if (!pids) return fail(pids);
  const auto pid = static_cast<uint32_t>(::getpid());
  const uint32_t is_protected = 1;
  if (bpf_map_update_elem(pids->get(), &pid, &is_protected, BPF_ANY) == 0) return {};
  return fail_errno("enter this process among those whose signals are recorded");
}

Result<void> remove_pins(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::remove_all(folder, failed);
  if (failed) return fail(failed, fmt::format("remove {}: {}", folder.string(), failed.message()));
  return {};
}

std::vector<std::filesystem::path> pin_folders(const std::filesystem::path& bpf_dir) {
  std::vector<std::filesystem::path> folders;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(bpf_dir, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (is_pin_folder(entry->path().filename().string())) folders.push_back(entry->path());
  }
  return folders;
}

bool serves_sessions(const std::filesystem::path& folder) {
  const Result<UniqueFd> sessions = open_pinned_map(folder, kSessionsMap);
  if (!sessions) return is_there(folder / kSessionsMap);
  uint64_t key = 0;
  if (bpf_map_get_next_key(sessions->get(), nullptr, &key) != 0) return errno != ENOENT;
  if (key != bpf::LEDGER_KEY) return true;
  return bpf_map_get_next_key(sessions->get(), &key, &key) == 0 || errno != ENOENT;
}

}  // namespace cairn::agent
