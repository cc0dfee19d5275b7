#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/capture/capture_status.h"
#include "agent/capture/tier.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn::agent {

// bpffs refuses names with a dot.
constexpr std::string_view kPartialSuffix = "_partial";

// Held while pins are looked at and made or removed, so that of two supervisors the second adopts what the first has
// pinned; and from finding a tier until a session is registered in it, else its programs could be detached in between.
// Held while the result lives. Waits for whoever holds it: a supervisor that starts or stops, at most a second or two.
Result<UniqueFd> lock_pins(const std::filesystem::path& bpf_dir);

// A tier of this build that is pinned under a folder: its programs run.
struct PinnedTier {
  std::filesystem::path folder;
  CaptureStatus status;
};

// The pinned tier, or nullopt when there is none, or when pins are missing from it (is_torn, if given, says so).
//   only  the name of the one to look for; empty: the best that is there
std::optional<PinnedTier> find_pinned(const std::filesystem::path& bpf_dir, std::string_view only = {},
                                      bool* is_torn = nullptr);

// The name under which a program on demand is pinned by itself.
std::string on_demand_pin(const Program& program);

// Attaches the programs on demand of a pinned tier, or takes them off when no session is registered there (false: there
// was nothing to take off). Under lock_pins().
Result<void> attach_on_demand(const std::filesystem::path& folder);
Result<bool> detach_on_demand(const std::filesystem::path& folder);

Result<UniqueFd> open_pinned_map(const std::filesystem::path& folder, const char* name);

// The inner map registered for `session_key`; without a descriptor when there is none.
Result<UniqueFd> inner_map(const UniqueFd& outer, uint64_t session_key);

// Unregisters; succeeds when nothing was registered. Waits until no BPF program holds the inner map any more.
Result<void> unregister(const UniqueFd& outer, uint64_t session_key);

// Who sends a signal to this process, from a session, is recorded. Until it ends.
Result<void> protect_this_process(const std::filesystem::path& folder);

// Removes a folder of pins, which detaches what nobody else holds. Succeeds when there is none.
Result<void> remove_pins(const std::filesystem::path& folder);

// The folders of pins under bpf_dir, of every build, complete or not.
std::vector<std::filesystem::path> pin_folders(const std::filesystem::path& bpf_dir);

// True when a session is registered there, the host's ledger apart, or when nobody can tell.
bool serves_sessions(const std::filesystem::path& folder);

}  // namespace cairn::agent
