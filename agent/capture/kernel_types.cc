#include "agent/capture/kernel_types.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <string>

#include <bpf/btf.h>
#include <fmt/format.h>

namespace cairn::agent {

void KernelTypes::Free::operator()(btf* types) const noexcept { btf__free(types); }

KernelTypes::KernelTypes() : types_(btf__load_vmlinux_btf()) {
  const uint32_t count = types_ ? btf__type_cnt(types_.get()) : 0;
  for (uint32_t id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types_.get(), id);
    if (btf_is_func(type)) functions_.insert(btf__name_by_offset(types_.get(), type->name_off));
  }
}

bool KernelTypes::has_function(std::string_view function) const { return functions_.contains(function); }

int KernelTypes::tracepoint_parameters(std::string_view tracepoint) const {
  if (!types_) return -1;
  // typedef void (*btf_trace_NAME)(void *__data, ...): include/trace/bpf_probe.h
  const int id =
      btf__find_by_name_kind(types_.get(), fmt::format("btf_trace_{}", tracepoint).c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) return -1;
  const btf_type* pointer = btf__type_by_id(types_.get(), btf__type_by_id(types_.get(), id)->type);
  if (pointer == nullptr || !btf_is_ptr(pointer)) return -1;
  const btf_type* function = btf__type_by_id(types_.get(), pointer->type);
  if (function == nullptr || !btf_is_func_proto(function)) return -1;
  return btf_vlen(function) - 1;
}

std::optional<std::filesystem::path> cgroup2_root() {
  for (const char* candidate : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs found{};
    if (::statfs(candidate, &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC) return candidate;
  }
  return std::nullopt;
}

}  // namespace cairn::agent
