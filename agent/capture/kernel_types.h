#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

struct btf;

namespace cairn::agent {

// What the running kernel says of its own types (/sys/kernel/btf/vmlinux). Some megabytes while it lives.
class KernelTypes {
 public:
  KernelTypes();

  // How many parameters the tracepoint's programs are given; -1: the kernel has no such tracepoint, or says nothing.
  int tracepoint_parameters(std::string_view tracepoint) const;

 private:
  struct Free {
    void operator()(btf* types) const noexcept;
  };
  std::unique_ptr<btf, Free> types_;
};

// Where cgroup2 is mounted with its root, or nullopt.
std::optional<std::filesystem::path> cgroup2_root();

}  // namespace cairn::agent
