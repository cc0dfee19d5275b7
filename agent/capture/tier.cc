#include "agent/capture/tier.h"

#include <bpf/tier_b.skel.h>

#include "base/bytes.h"

namespace cairn::agent {
namespace {

std::string_view tier_b_object() {
  size_t size = 0;
  const void* bytes = tier_b__elf_bytes(&size);
  return {static_cast<const char*>(bytes), size};
}

}  // namespace

std::string Tier::folder() const { return to_hex(sha256(object)).substr(0, 12); }

const std::vector<Tier>& tiers() {
  // Tier A (LSM, fentry) will stand before it, Tier C (kprobes) behind it.
  static const std::vector<Tier> all = {
      {.name = "B",
       .object = tier_b_object(),
       .programs = {{.name = "on_task_new"},
                    {.name = "on_task_exit"},
                    {.name = "on_exec"},
                    {.name = "on_sys_exit", .is_on_demand = true},
                    {.name = "on_socket_state"},
                    {.name = "on_cgroup_move", .is_optional = true},
                    {.name = "on_signal", .is_optional = true},
                    {.name = "on_datagram_4", .is_optional = true},
                    {.name = "on_datagram_6", .is_optional = true},
                    {.name = "on_uring_submit_req", .tracepoint = "io_uring_submit_req"},
                    {.name = "on_uring_submit_sqe", .tracepoint = "io_uring_submit_sqe"},
                    {.name = "on_uring_complete", .tracepoint = "io_uring_complete", .parameters = 3},
                    {.name = "on_uring_complete_6", .tracepoint = "io_uring_complete", .parameters = 7}}},
  };
  return all;
}

}  // namespace cairn::agent
