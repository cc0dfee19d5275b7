#include "recorder/derive/derive_process.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/bytes.h"
#include "recorder/derive/derive.h"
#include "recorder/derive/sandboxed_process.h"

namespace cairn::recorder {
namespace {

constexpr const char* kName = "cairn-derive";
// What the process finds its work at. Standard input holds the limits, the secret and the pieces.
constexpr int kRecording = 3;
constexpr int kDerived = 4;
constexpr int kDraft = 5;
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
  const std::array<SandboxedProcess::Handed, 4> handed = {{{.fd = input->get(), .as = STDIN_FILENO},
                                                           {.fd = request.recording, .as = kRecording},
                                                           {.fd = request.derived, .as = kDerived},
                                                           {.fd = request.draft, .as = kDraft}}};
  Result<SandboxedProcess> process = SandboxedProcess::start(kName, handed, request.program);
  if (!process) return fail(process);
  return process->wait("deriving", request.patience);
}

bool is_derive_process(int argc, const char* const* argv) { return is_sandboxed(kName, argc, argv); }

int run_as_derive_process() { end_sandboxed(derive_as_asked()); }

}  // namespace cairn::recorder
