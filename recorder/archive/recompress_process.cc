#include "recorder/archive/recompress_process.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "recorder/archive/recompress.h"
#include "recorder/derive/sandboxed_process.h"

namespace cairn::recorder {
namespace {

constexpr const char* kName = "cairn-recompress";
constexpr int kFrom = 3;
constexpr int kTo = 4;
// limits, which of the two it is (1 byte), secret
constexpr size_t kFixedBytes = kLimitsBytes + 1;
constexpr char kRecompress = 'r';
constexpr char kCheck = 'c';

Result<void> do_as_asked() {
  Result<std::string> input = sandboxed_input(kFixedBytes, kFixedBytes + kSecretBytes);
  if (!input) return fail(input);
  const SandboxLimits limits = decode_limits(*input);
  const bool is_check = (*input)[kLimitsBytes] == kCheck;
  RecompressJob job{.from = UniqueFd(kFrom), .to = UniqueFd(kTo), .keys = nullptr};
  if (input->size() > kFixedBytes) job.keys = std::make_shared<const RecordingKeys>(Secret(input->substr(kFixedBytes)));
  wipe(*input);
  if (Result<void> entered = enter_sandbox(limits); !entered) return entered;
  return is_check ? check_recompressed(job) : recompress(job);
}

Result<void> run(const RecompressRequest& request, char which) {
  const std::array descriptors = {HandedDescriptor{.fd = request.from, .as = kFrom},
                                  HandedDescriptor{.fd = request.to, .as = kTo}};
  const Secret input(encode_limits(request.limits) + which + std::string(request.secret));
  return run_sandboxed({.name = kName,
                        .work = "recompressing",
                        .input = input.view(),
                        .descriptors = descriptors,
                        .patience = request.patience,
                        .program = request.program,
                        .is_given_up = request.is_given_up});
}

}  // namespace

Result<void> run_recompress_process(const RecompressRequest& request) {
  if (Result<void> made = run(request, kRecompress); !made) return made;
  return run(request, kCheck);
}

bool is_recompress_process(int argc, const char* const* argv) { return is_sandboxed(kName, argc, argv); }
int run_as_recompress_process() { end_sandboxed(do_as_asked()); }

}  // namespace cairn::recorder
