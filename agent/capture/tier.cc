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
       .programs = {"on_task_new", "on_task_exit", "on_exec", "on_sys_exit", "on_socket_state"}},
  };
  return all;
}

}  // namespace cairn::agent
