#include "recorder/derive/sandboxed_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/child_process.h"
#include "base/file.h"
#include "base/spawn.h"

namespace cairn::recorder {
namespace {

constexpr size_t kMaxSentence = 1024;
constexpr int kSaysWhy = 1;
constexpr int kSaysTooLarge = 2;

std::string said(int errors) {
  std::string text(kMaxSentence, '\0');
  const ssize_t got = ::pread(errors, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

}  // namespace

Result<SandboxedProcess> SandboxedProcess::start(const char* name, std::span<const HandedDescriptor> descriptors,
                                                 const std::filesystem::path& program) {
  Result<UniqueFd> errors = memory_file({});
  if (!errors) return fail(errors);
  // Its limits end it by signals, and it reads no environment.
  SpawnPlan plan{
      .program = program,
      .arguments = {name},
      .descriptors = {{.fd = errors->get(), .as = STDOUT_FILENO}, {.fd = errors->get(), .as = STDERR_FILENO}}};
  std::ranges::copy_if(descriptors, std::back_inserter(plan.descriptors),
                       [](const HandedDescriptor& each) { return each.fd >= 0; });
  const Result<pid_t> child = spawn(plan);
  if (!child) return fail(child);
  return SandboxedProcess(*child, std::move(*errors));
}

SandboxedProcess::SandboxedProcess(SandboxedProcess&& other) noexcept
    : child_(std::exchange(other.child_, 0)), errors_(std::move(other.errors_)) {}

SandboxedProcess::~SandboxedProcess() {
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  std::ignore = wait_for_child(child_, std::chrono::seconds(1), nullptr);
}

Result<void> SandboxedProcess::wait(std::string_view work, std::chrono::seconds patience,
                                    const std::atomic<bool>* is_given_up) {
  if (child_ == 0) return fail(Errc::kInternal, "a process was waited for twice");
  const Result<int> status = wait_for_child(std::exchange(child_, 0), patience, is_given_up);
  if (!status) return fail(status, work);
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  if (WIFSIGNALED(*status)) {
    return fail(Errc::kUnavailable,
                fmt::format("{} was ended by signal {} ({})", work, WTERMSIG(*status), ::strsignal(WTERMSIG(*status))));
  }
  return fail(WEXITSTATUS(*status) == kSaysTooLarge ? Errc::kTooLarge : Errc::kCorrupt, said(errors_.get()));
}

Result<void> run_sandboxed(const SandboxedJob& job) {
  const Result<UniqueFd> input = memory_file(job.input);
  if (!input) return fail(input);
  std::vector<HandedDescriptor> handed(job.descriptors.begin(), job.descriptors.end());
  handed.push_back({.fd = input->get(), .as = STDIN_FILENO});
  Result<SandboxedProcess> process = SandboxedProcess::start(job.name, handed, job.program);
  if (!process) return fail(process);
  return process->wait(job.work, job.patience, job.is_given_up);
}

bool is_sandboxed(const char* name, int argc, const char* const* argv) {
  return argc == 1 && std::strcmp(argv[0], name) == 0;
}

Result<std::string> sandboxed_input(size_t least_bytes, size_t most_bytes) {
  std::string input;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read the request");
    if (got == 0) break;
    input.append(buffer.data(), static_cast<size_t>(got));
    if (input.size() > most_bytes) return fail(Errc::kTooLarge, "the request is too large");
  }
  if (input.size() < least_bytes)
    return fail(Errc::kInvalid, "no request on standard input; this program is started by Cairn itself");
  return input;
}

void end_sandboxed(const Result<void>& done) {
  if (done) ::_exit(0);
  std::string sentence = done.error().message;
  sentence.resize(std::min(sentence.size(), kMaxSentence));
  std::ignore = write_all(STDERR_FILENO, sentence);
  ::_exit(done.error().code == Errc::kTooLarge ? kSaysTooLarge : kSaysWhy);
}

std::string encode_limits(const SandboxLimits& limits) {
  std::string bytes(kLimitsBytes, '\0');
  write_le64(bytes.data(), static_cast<uint64_t>(limits.cpu.count()));
  write_le64(bytes.data() + 8, limits.memory_bytes);
  write_le64(bytes.data() + 16, limits.file_bytes);
  return bytes;
}

SandboxLimits decode_limits(std::string_view input) {
  return {.cpu = std::chrono::seconds(read_le64(input.data())),
          .memory_bytes = read_le64(input.data() + 8),
          .file_bytes = read_le64(input.data() + 16)};
}

}  // namespace cairn::recorder
