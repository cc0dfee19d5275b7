#include "recorder/derive/derive_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/child_process.h"
#include "base/file.h"
#include "recorder/derive/derive.h"

namespace cairn::recorder {
namespace {

constexpr const char* kName = "cairn-derive";
// What the process finds its work at. Standard input holds the limits, the secret and the pieces.
constexpr int kErrors = 2;
constexpr int kRecording = 3;
constexpr int kDerived = 4;
constexpr int kDraft = 5;
constexpr size_t kMaxSentence = 1024;
constexpr size_t kMaxPieces = size_t{256} << 20;

// cpu seconds, memory, file size, whether there is a draft, the open chunk's number, the secret's length (8 bytes
// each); secret, pieces
constexpr size_t kFixedBytes = 48;

std::string encode(const DeriveRequest& request) {
  std::string bytes(kFixedBytes, '\0');
  write_le64(bytes.data(), static_cast<uint64_t>(request.limits.cpu.count()));
  write_le64(bytes.data() + 8, request.limits.memory_bytes);
  write_le64(bytes.data() + 16, request.limits.file_bytes);
  write_le64(bytes.data() + 24, request.draft >= 0 ? 1 : 0);
  write_le64(bytes.data() + 32, request.pieces_of);
  write_le64(bytes.data() + 40, request.secret.size());
  bytes += request.secret;
  bytes += request.pieces;
  return bytes;
}

// posix_spawn's dup2 of a descriptor onto itself clears close-on-exec; onto another it may overwrite one that is still
// to be moved, so all are moved out of the way first.
class Spawn {
 public:
  Spawn() { ::posix_spawn_file_actions_init(&actions_); }
  ~Spawn() { ::posix_spawn_file_actions_destroy(&actions_); }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  Result<void> hand_over(int fd, int as) {
    constexpr int kOutOfTheWay = 10;
    UniqueFd moved(::fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    if (!moved) return fail_errno("descriptor");
    ::posix_spawn_file_actions_adddup2(&actions_, moved.get(), as);
    held_[count_++] = std::move(moved);
    return {};
  }

  Result<pid_t> start(const std::filesystem::path& program) {
    std::string name = kName;
    std::array<char*, 2> argv = {name.data(), nullptr};
    std::array<char*, 1> environment = {nullptr};
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, program.c_str(), &actions_, nullptr, argv.data(), environment.data());
    if (failed != 0) return fail(std::error_code(failed, std::generic_category()), "start " + program.string());
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  std::array<UniqueFd, 8> held_;
  size_t count_ = 0;
};

std::string said(int errors) {
  std::string text(kMaxSentence, '\0');
  const ssize_t got = ::pread(errors, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

int say(const Error& error) {
  std::string sentence = error.message;
  sentence.resize(std::min(sentence.size(), kMaxSentence));
  static_cast<void>(write_all(kErrors, sentence));
  return 1;
}

Result<std::string> read_input() {
  std::string input;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read the request");
    if (got == 0) break;
    input.append(buffer.data(), static_cast<size_t>(got));
    if (input.size() > kMaxPieces) return fail(Errc::kTooLarge, "the request is too large");
  }
  if (input.size() < kFixedBytes || read_le64(input.data() + 40) > input.size() - kFixedBytes)
    return fail(Errc::kInvalid, "no request on standard input; this program is started by Cairn itself");
  return input;
}

Result<void> derive_as_asked() {
  Result<std::string> input = read_input();
  if (!input) return fail(input);
  const SandboxLimits limits{.cpu = std::chrono::seconds(read_le64(input->data())),
                             .memory_bytes = read_le64(input->data() + 8),
                             .file_bytes = read_le64(input->data() + 16)};
  const size_t secret_bytes = read_le64(input->data() + 40);
  DeriveJob job{.recording = UniqueFd(kRecording),
                .derived = UniqueFd(kDerived),
                .draft = UniqueFd(read_le64(input->data() + 24) != 0 ? kDraft : -1),
                .pieces_of = read_le64(input->data() + 32),
                .pieces = input->substr(kFixedBytes + secret_bytes),
                .keys = std::nullopt};
  if (secret_bytes > 0) job.keys.emplace(Secret(input->substr(kFixedBytes, secret_bytes)));
  wipe(*input);
  if (Result<void> entered = enter_sandbox(limits); !entered) return entered;
  return derive(std::move(job));
}

}  // namespace

Result<void> run_derive_process(const DeriveRequest& request) {
  const Result<UniqueFd> input = memory_file(encode(request));
  if (!input) return fail(input);
  const Result<UniqueFd> errors = memory_file({});
  if (!errors) return fail(errors);
  Spawn spawn;
  for (const auto& [fd, as] : {std::pair(input->get(), STDIN_FILENO), std::pair(errors->get(), STDOUT_FILENO),
                               std::pair(errors->get(), kErrors), std::pair(request.recording, kRecording),
                               std::pair(request.derived, kDerived), std::pair(request.draft, kDraft)}) {
    if (fd < 0) continue;
    if (Result<void> handed = spawn.hand_over(fd, as); !handed) return handed;
  }
  const Result<pid_t> child = spawn.start(request.program);
  if (!child) return fail(child);
  const Result<int> status = wait_for_child(*child, request.patience);
  if (!status) return fail(status, "deriving");
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  if (WIFSIGNALED(*status)) {
    return fail(Errc::kUnavailable,
                fmt::format("deriving was ended by signal {} ({})", WTERMSIG(*status), ::strsignal(WTERMSIG(*status))));
  }
  return fail(Errc::kCorrupt, said(errors->get()));
}

bool is_derive_process(int argc, const char* const* argv) { return argc == 1 && std::strcmp(argv[0], kName) == 0; }

// No destructors and no exit handlers: the sandbox would kill some of them.
int run_as_derive_process() {
  const Result<void> done = derive_as_asked();
  ::_exit(done ? 0 : say(done.error()));
}

}  // namespace cairn::recorder
