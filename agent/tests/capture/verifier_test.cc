// How much work each program is for the kernel's verifier: printed, so that a growth is seen before a kernel's limit is
// met.
#include <algorithm>
#include <iostream>
#include <regex>
#include <string>
#include <vector>

#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "agent/capture/tier.h"
#include "agent/tests/capture/live_capture.h"

namespace cairn::agent {
namespace {

constexpr long kLimit = 200'000;         // a fifth of the kernel's own (1 000 000 from 5.2 on)
constexpr uint32_t kStatisticsOnly = 4;  // BPF_LOG_STATS

// Tier A has a program per system call, and those of a family are of one body.
constexpr std::string_view kOneOfEachFamily[] = {"x64_openat",   "x64_execve", "x64_renameat2",  "x64_sendto",
                                                 "x64_recvmmsg", "x64_ptrace", "ia32_socketcall"};

// Instructions that the verifier walked; -1: the kernel refuses the program.
long instructions_of(const Tier& tier, const std::string& name) {
  std::vector<char> log(size_t{1} << 20);
  bpf_object* object = bpf_object__open_mem(tier.object.data(), tier.object.size(), nullptr);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const bool is_wanted = name == bpf_program__name(program);
    bpf_program__set_autoload(program, is_wanted);
    if (!is_wanted) continue;
    bpf_program__set_log_buf(program, log.data(), log.size());
    bpf_program__set_log_level(program, kStatisticsOnly);
  }
  const int failed = bpf_object__load(object);
  bpf_object__close(object);
  std::cmatch found;
  if (failed != 0 || !std::regex_search(log.data(), found, std::regex("processed (\\d+) insns"))) return -1;
  return std::stol(found[1]);
}

class VerifierOfTheKernel : public LiveCapture {};

TEST_F(VerifierOfTheKernel, WalksEachProgramWellBelowItsLimit) {
  for (const Program& program : tier().programs) {
    const auto& hooks = host_->status().hooks;
    const bool is_one_of_many = !program.function.empty();
    if (is_one_of_many && std::ranges::find(kOneOfEachFamily, program.name) == std::end(kOneOfEachFamily)) continue;
    if (!is_one_of_many && std::ranges::find(hooks, program.name) == hooks.end()) continue;  // not of this kernel
    const long walked = instructions_of(tier(), std::string(program.name));
    std::cout << "verifier: tier " << tier().name << " " << program.name << " " << walked << " instructions\n";
    EXPECT_GT(walked, 0) << program.name;
    EXPECT_LT(walked, kLimit) << program.name;
  }
}

}  // namespace
}  // namespace cairn::agent
