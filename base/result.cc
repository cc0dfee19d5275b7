#include "base/result.h"

#include <cerrno>
#include <fmt/format.h>

namespace cairn {
namespace {

class ErrcCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "cairn"; }
  std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kInvalid: return "invalid";
      case Errc::kCorrupt: return "corrupt";
      case Errc::kTruncated: return "truncated";
      case Errc::kTooLarge: return "too large";
      case Errc::kNotFound: return "not found";
      case Errc::kAlreadyExists: return "already exists";
      case Errc::kDenied: return "denied";
      case Errc::kUnauthenticated: return "unauthenticated";
      case Errc::kExpired: return "expired";
      case Errc::kUnavailable: return "unavailable";
      case Errc::kTimeout: return "timeout";
      case Errc::kClosed: return "closed by the peer";
      case Errc::kUnsupported: return "unsupported";
      case Errc::kSpoolFull: return "spool full";
      case Errc::kInternal: return "internal error";
    }
    return fmt::format("cairn error {}", code);
  }
};

}  // namespace

const std::error_category& errc_category() noexcept {
  static const ErrcCategory category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), errc_category()}; }

Failure fail(std::error_code code, std::string message) {
  return tl::make_unexpected(Error{.code = code, .message = std::move(message)});
}

Failure fail(Errc code, std::string message) { return fail(make_error_code(code), std::move(message)); }

Failure fail_errno(std::string_view what) { return fail_errno(errno, what); }

Failure fail_errno(int errno_value, std::string_view what) {
  const std::error_code code(errno_value, std::generic_category());
  return fail(code, fmt::format("{}: {}", what, code.message()));
}

}  // namespace cairn
