#include "agent/capture/capture_host.h"

#include <string>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "agent/capture/bpf_object.h"
#include "agent/capture/bpffs.h"
#include "agent/capture/libbpf_log.h"
#include "agent/capture/pins.h"
#include "agent/capture/session_registration.h"
#include "agent/capture/tier.h"
#include "base/unique_fd.h"
#include "bpf/events.h"

namespace cairn::agent {
namespace {

Result<PinnedTier> load_by_trial(const std::filesystem::path& bpf_dir, std::string_view only) {
  std::string refusals;
  for (const Tier& tier : tiers()) {
    if (!only.empty() && tier.name != only) continue;
    const Result<void> loaded = load_and_pin(tier, bpf_dir / tier.folder());
    if (!loaded && loaded.error().code != Errc::kUnsupported) return fail(loaded);
    if (loaded) {
      std::optional<PinnedTier> pinned = find_pinned(bpf_dir, only);
      if (pinned) return *std::move(pinned);
      return fail(Errc::kUnavailable, fmt::format("the pins under {} went away; start again", bpf_dir.string()));
    }
    refusals += (refusals.empty() ? "" : "; ") + loaded.error().message;
  }
  return fail(
      Errc::kUnsupported,
      fmt::format("the kernel refuses every way to capture: {}. The agent needs root with CAP_SYS_ADMIN, CAP_BPF "
                  "and CAP_PERFMON, and a kernel from 6.1 on with BTF (docs/capture.md)",
                  refusals));
}

// Adopts what is there, or loads anew; says in the log which.
Result<PinnedTier> adopt_or_load(const std::filesystem::path& bpf_dir, std::string_view only, const Log& log) {
  bool is_torn = false;
  if (std::optional<PinnedTier> pinned = find_pinned(bpf_dir, only, &is_torn)) {
    log.info("capture.adopted", kv("tier", pinned->status.tier), kv("pins", pinned->folder.string()));
    return *std::move(pinned);
  }
  if (is_torn) {
    log.warn("capture.pins_torn", kv("bpf_dir", bpf_dir.string()), kv("done", "loaded anew"));
    for (const Tier& tier : tiers()) {
      if (Result<void> removed = remove_pins(bpf_dir / tier.folder()); !removed) return fail(removed);
    }
  }
  Result<PinnedTier> loaded = load_by_trial(bpf_dir, only);
  if (!loaded) return fail(loaded);
  log.info("capture.loaded", kv("tier", loaded->status.tier), kv("pins", loaded->folder.string()));
  return loaded;
}

void remove_idle_builds(const std::filesystem::path& bpf_dir, const std::filesystem::path& keep, const Log& log) {
  for (const std::filesystem::path& folder : pin_folders(bpf_dir)) {
    if (folder == keep || serves_sessions(folder)) continue;
    const Result<void> removed = remove_pins(folder);
    if (removed) log.info("capture.old_build_removed", kv("pins", folder.string()));
    if (!removed) log.warn("capture.old_build_stays", kv("pins", folder.string()), kv_error(removed.error()));
  }
}

}  // namespace

Result<CaptureHost> CaptureHost::start(std::filesystem::path bpf_dir, Log log, std::string_view only_tier) {
  route_libbpf_messages(log);
  if (Result<void> made = make_bpffs_folder(bpf_dir); !made) return fail(made);
  const Result<UniqueFd> lock = lock_pins(bpf_dir);
  if (!lock) return fail(lock);
  Result<PinnedTier> pinned = adopt_or_load(bpf_dir, only_tier, log);
  if (!pinned) return fail(pinned);
  remove_idle_builds(bpf_dir, pinned->folder, log);
  if (Result<void> done = protect_this_process(pinned->folder); !done) return fail(done);
  CaptureHost host(std::move(pinned->folder), std::move(pinned->status));
  for (const uint64_t key : {kLedgerKey, kCanaryKey}) {
    if (Result<void> forgotten = host.forget_session(key); !forgotten) return fail(forgotten);
  }
  return host;
}

Result<void> CaptureHost::forget_session(uint64_t session_key) {
  // The counters first: without them no program looks for a ring.
  for (const char* name : {kSessionsMap, kExecRingsMap, kOpenRingsMap, kFoldsMap}) {
    const Result<UniqueFd> outer = open_pinned_map(pins_, name);
    if (!outer) return fail(outer);
    if (Result<void> done = unregister(*outer, session_key); !done) return done;
  }
  return {};
}

Result<bool> CaptureHost::rest_when_idle() {
  const Result<UniqueFd> lock = lock_pins(pins_.parent_path());
  if (!lock) return fail(lock);
  return detach_on_demand(pins_);
}

Result<void> CaptureHost::report_blind(uint64_t classes) {
  const Result<UniqueFd> sessions = open_pinned_map(pins_, kSessionsMap);
  if (!sessions) return fail(sessions);
  std::vector<uint64_t> keys;
  uint64_t key = 0;
  for (const uint64_t* before = nullptr; bpf_map_get_next_key(sessions->get(), before, &key) == 0; before = &key) {
    keys.push_back(key);
  }
  for (const uint64_t session_key : keys) {
    const Result<UniqueFd> states = inner_map(*sessions, session_key);
    if (!states) return fail(states);
    if (!*states) continue;
    Result<SharedCounters> counters = SharedCounters::map(*states);
    if (!counters) return fail(counters);
    counters->set_blind(classes);
  }
  return {};
}

Result<std::optional<uint64_t>> CaptureHost::issued(uint64_t session_key) {
  const Result<UniqueFd> sessions = open_pinned_map(pins_, kSessionsMap);
  if (!sessions) return fail(sessions);
  const Result<UniqueFd> states = inner_map(*sessions, session_key);
  if (!states) return fail(states);
  if (!*states) return std::nullopt;
  const uint32_t first = 0;
  bpf::session_state state{};
  if (bpf_map_lookup_elem(states->get(), &first, &state) != 0) {
    return fail_errno(fmt::format("read the counters of session {}", session_key));
  }
  return state.issued;
}

Result<void> unpin_all(const std::filesystem::path& bpf_dir) {
  std::error_code failed;
  if (!std::filesystem::exists(bpf_dir, failed)) return {};
  const Result<bool> is_ours = is_on_bpffs(bpf_dir);
  if (!is_ours) return fail(is_ours);
  if (!*is_ours) return {};
  {
    const Result<UniqueFd> lock = lock_pins(bpf_dir);  // released before the unmount, which an open folder hinders
    if (!lock) return fail(lock);
    for (const std::filesystem::path& folder : pin_folders(bpf_dir)) {
      if (Result<void> removed = remove_pins(folder); !removed) return removed;
    }
  }
  return remove_bpffs_folder(bpf_dir);
}

}  // namespace cairn::agent
