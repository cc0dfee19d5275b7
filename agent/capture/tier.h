#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cairn::agent {

// One BPF program of a tier; also the name of its pinned link.
struct Program {
  std::string_view name;
  // Without an optional one the tier captures less, and says so: its hook is missing from CaptureStatus.
  bool is_optional = false;
  // A tracepoint whose signature changed over time has a program for each: this one is for kernels where the named
  // tracepoint exists and, unless 0, has this many parameters. Empty: for every kernel.
  std::string_view tracepoint = {};
  int parameters = 0;
  // A program for one system call hooks this function, and is left out where the kernel has no such call.
  std::string_view function = {};
  // Costs every process of the host something, sessions or none: attached while a session is registered, and not pinned
  // by its link alone but by itself too (kProgramSuffix).
  bool is_on_demand = false;
  const char* raw_tracepoint = nullptr;  // where one on demand is attached to, in a tier without BTF types
};

// Behind the name of a program on demand: the pin of the program, from which it is attached.
constexpr std::string_view kProgramSuffix = "_program";

// One way to capture: an object of BPF programs. The kernel takes all that are not optional, or it has another tier.
struct Tier {
  std::string_view name;
  std::string_view object;  // ELF bytes, embedded in this binary
  std::vector<Program> programs;
  // Without BTF types there is no map of tags in the storage of tasks: a task is known by its pid alone.
  bool tags_by_pid = false;
  // The program that is tried before all others, since a kernel that refuses the tier refuses this one: the tier has so
  // many programs that to try each for its reason takes seconds. Empty: there is none.
  std::string_view trial = {};

  // The folder of its pins: the first 12 hex digits of the object's SHA-256. Another build makes its own beside it.
  std::string folder() const;
  std::vector<const char*> pinned_maps() const;
};

// What this build knows, best first. A kernel is asked by trial: neither versions nor feature files tell what it will
// accept (6.18 with lockdown lists the bpf LSM and refuses it).
const std::vector<Tier>& tiers();

// Maps that user space reaches through pins; the others live by the programs that use them.
constexpr const char* kTagsMap = "tags";
constexpr const char* kSessionsMap = "sessions";
constexpr const char* kExecRingsMap = "exec_rings";
constexpr const char* kOpenRingsMap = "open_rings";
constexpr const char* kFoldsMap = "folds";
constexpr const char* kHeldMap = "held";
constexpr const char* kProtectedMap = "protected_pids";
constexpr const char* kPidsMap = "pids";
// Of every tier; those with tags in the storage of tasks have kTagsMap too.
constexpr const char* kPinnedMaps[] = {kPidsMap,  kSessionsMap, kExecRingsMap, kOpenRingsMap,
                                       kFoldsMap, kHeldMap,     kProtectedMap};

// Needs one place per CPU and buffer: SCRATCH_PER_CPU in bpf/record.bpf.c.
constexpr const char* kScratchMap = "scratches";
constexpr int kScratchPerCpu = 2;

}  // namespace cairn::agent
