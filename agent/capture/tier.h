#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::agent {

// One way to capture: an object of BPF programs that a kernel takes as a whole or refuses.
struct Tier {
  std::string_view name;
  std::string_view object;                 // ELF bytes, embedded in this binary
  std::vector<std::string_view> programs;  // all of them must load and attach; also the names of their pinned links

  // The folder of its pins: the first 12 hex digits of the object's SHA-256. Another build makes its own beside it.
  std::string folder() const;
};

// What this build knows, best first. A kernel is asked by trial: neither versions nor feature files tell what it will
// accept (6.18 with lockdown lists the bpf LSM and refuses it).
const std::vector<Tier>& tiers();

// Maps that user space reaches through pins; the others live by the programs that use them.
constexpr const char* kTagsMap = "tags";
constexpr const char* kSessionsMap = "sessions";
constexpr const char* kExecRingsMap = "exec_rings";
constexpr const char* kOpenRingsMap = "open_rings";
constexpr const char* kPinnedMaps[] = {kTagsMap, kSessionsMap, kExecRingsMap, kOpenRingsMap};

// Maps that need one place per CPU and buffer: SCRATCH_PER_CPU in bpf/open.bpf.c and bpf/exec.bpf.c.
constexpr const char* kScratchMaps[] = {"open_scratches", "exec_scratches"};
constexpr int kScratchPerCpu = 2;

}  // namespace cairn::agent
