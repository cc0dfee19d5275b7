#include "recorder/derive/derive_process.h"

#include <array>
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

// limits; whether there is a draft, the open chunk's number, the secret's length (8 bytes each); secret, pieces
constexpr size_t kDraftAt = kLimitsBytes;
constexpr size_t kPiecesOfAt = kLimitsBytes + 8;
constexpr size_t kSecretBytesAt = kLimitsBytes + 16;
constexpr size_t kFixedBytes = kLimitsBytes + 24;

std::string encode(const DeriveRequest& request) {
  std::string bytes = encode_limits(request.limits);
  bytes.resize(kFixedBytes);
  write_le64(bytes.data() + kDraftAt, request.draft >= 0 ? 1 : 0);
  write_le64(bytes.data() + kPiecesOfAt, request.pieces_of);
  write_le64(bytes.data() + kSecretBytesAt, request.secret.size());
  bytes += request.secret;
  bytes += request.pieces;
  return bytes;
}

Result<void> derive_as_asked() {
  Result<std::string> input = sandboxed_input(kFixedBytes, kMaxPieces);
  if (!input) return fail(input);
  const SandboxLimits limits = decode_limits(*input);
  const size_t secret_bytes = read_le64(input->data() + kSecretBytesAt);
  if (secret_bytes > input->size() - kFixedBytes) return fail(Errc::kInvalid, "the request ends inside its secret");
  DeriveJob job{.recording = UniqueFd(kRecording),
                .derived = UniqueFd(kDerived),
                .draft = UniqueFd(read_le64(input->data() + kDraftAt) != 0 ? kDraft : -1),
                .pieces_of = read_le64(input->data() + kPiecesOfAt),
                .pieces = input->substr(kFixedBytes + secret_bytes),
                .keys = std::nullopt};
  if (secret_bytes > 0) job.keys.emplace(Secret(input->substr(kFixedBytes, secret_bytes)));
  wipe(*input);
  if (Result<void> entered = enter_sandbox(limits); !entered) return entered;
  return derive(std::move(job));
}

}  // namespace

Result<void> run_derive_process(const DeriveRequest& request) {
  const std::array descriptors = {HandedDescriptor{.fd = request.recording, .as = kRecording},
                                  HandedDescriptor{.fd = request.derived, .as = kDerived},
                                  HandedDescriptor{.fd = request.draft, .as = kDraft}};
  const Secret input(encode(request));
  return run_sandboxed({.name = kName,
                        .work = "deriving",
                        .input = input.view(),
                        .descriptors = descriptors,
                        .patience = request.patience,
                        .program = request.program,
                        .is_given_up = nullptr});
}

bool is_derive_process(int argc, const char* const* argv) { return is_sandboxed(kName, argc, argv); }
int run_as_derive_process() { end_sandboxed(derive_as_asked()); }

}  // namespace cairn::recorder
