#include "agent/capture/tier.h"

#include <bpf/tier_a.skel.h>
#include <bpf/tier_b.skel.h>
#include <bpf/tier_c.skel.h>

#include "base/bytes.h"
#include "bpf/calls.h"

namespace cairn::agent {
namespace {

template <auto ElfBytes> std::string_view object_bytes() {
  size_t size = 0;
  const void* bytes = ElfBytes(&size);
  return {static_cast<const char*>(bytes), size};
}

// What the tiers have in common.
std::vector<Program> with_shared(std::vector<Program> programs) {
  programs.insert(programs.end(),
                  {{.name = "on_task_new"},
                   {.name = "on_task_exit"},
                   {.name = "on_exec"},
                   {.name = "on_socket_state"},
                   {.name = "on_cgroup_move", .is_optional = true},
                   {.name = "on_signal", .is_optional = true},
                   {.name = "on_datagram_4", .is_optional = true},
                   {.name = "on_datagram_6", .is_optional = true},
                   {.name = "on_uring_submit_req", .tracepoint = "io_uring_submit_req"},
                   {.name = "on_uring_submit_sqe", .tracepoint = "io_uring_submit_sqe"},
                   {.name = "on_uring_complete", .tracepoint = "io_uring_complete", .parameters = 3},
                   {.name = "on_uring_complete_6", .tracepoint = "io_uring_complete", .parameters = 7}});
  return programs;
}

std::vector<Program> call_functions() {
  std::vector<Program> programs;
#define CAIRN_HOOK_64(number, call, carried_out_by, kind) \
  programs.push_back({.name = "x64_" #call, .function = "__x64_" #carried_out_by});
#define CAIRN_HOOK_32(number, call, carried_out_by, kind) \
  programs.push_back({.name = "ia32_" #call, .function = "__ia32_" #carried_out_by});
  CALLS_64(CAIRN_HOOK_64)
  CALLS_32(CAIRN_HOOK_32)
#undef CAIRN_HOOK_64
#undef CAIRN_HOOK_32
  return programs;
}

}  // namespace

std::string Tier::folder() const { return to_hex(sha256(object)).substr(0, 12); }

std::vector<const char*> Tier::pinned_maps() const {
  std::vector<const char*> maps(std::begin(kPinnedMaps), std::end(kPinnedMaps));
  if (!tags_by_pid) maps.push_back(kTagsMap);
  return maps;
}

const std::vector<Tier>& tiers() {
  static const std::vector<Tier> all = {
      {.name = "A",
       .object = object_bytes<tier_a__elf_bytes>(),
       .programs = with_shared(call_functions()),
       .trial = "x64_openat"},
      {.name = "B",
       .object = object_bytes<tier_b__elf_bytes>(),
       .programs = with_shared({{.name = "on_sys_exit", .is_on_demand = true}})},
      {.name = "C",
       .object = object_bytes<tier_c__elf_bytes>(),
       .programs = with_shared({{.name = "on_sys_exit", .is_on_demand = true, .raw_tracepoint = "sys_exit"}}),
       .tags_by_pid = true},
  };
  return all;
}

}  // namespace cairn::agent
