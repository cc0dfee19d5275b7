#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>

struct btf;

namespace cairn::agent {

// What the running kernel says of its own types (/sys/kernel/btf/vmlinux). Some megabytes while it lives.
class KernelTypes {
 public:
  KernelTypes();

  // How many parameters the tracepoint's programs are given; -1: the kernel has no such tracepoint, or says nothing.
  int tracepoint_parameters(std::string_view tracepoint) const;
  // Whether programs can be attached to that function.
  bool has_function(std::string_view function) const;

 private:
  struct Free {
    void operator()(btf* types) const noexcept;
  };
  std::unique_ptr<btf, Free> types_;
  std::unordered_set<std::string_view> functions_;  // names in types_
};

// Where cgroup2 is mounted with its root, or nullopt.
std::optional<std::filesystem::path> cgroup2_root();

}  // namespace cairn::agent
