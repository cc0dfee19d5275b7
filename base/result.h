#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <tl/expected.hpp>

namespace cairn {

// What went wrong, for programs. For people there is the sentence in Error. Conditions of the operating system stay
// errno values (std::generic_category), conditions of libraries keep their library's category.
enum class Errc {
  kInvalid = 1,      // the input breaks its format or its limits; retrying cannot help
  kCorrupt,          // stored or transmitted bytes fail their check
  kTruncated,        // the input ends before it is complete; what came before is good
  kTooLarge,         // a limit was passed; nothing was allocated for it
  kNotFound,         // the thing named does not exist
  kAlreadyExists,    // a thing of that name exists
  kDenied,           // the caller may not
  kUnauthenticated,  // the caller did not prove who it is
  kExpired,          // it was valid once
  kUnavailable,      // a peer or the kernel cannot serve now; retrying may help
  kTimeout,          // no answer before the deadline
  kClosed,           // the peer ended the connection
  kUnsupported,      // this host or build cannot do it
  kSpoolFull,        // the spool's quota would be passed; retry after an acknowledgement
  kInternal,         // a bug of ours, or a library that broke its contract
};

const std::error_category& errc_category() noexcept;
std::error_code make_error_code(Errc code) noexcept;

// A code for programs and a sentence for people. The sentence grows on the way up: "open recording: read header: file
// ends after 11 of 64 bytes".
struct Error {
  std::error_code code;
  std::string message;
};

// A value or an Error. A bare alias of tl::expected would warn of nothing when it is dropped.
template <class T> class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Failure = tl::unexpected<Error>;

[[nodiscard]] Failure fail(std::error_code code, std::string message);
[[nodiscard]] Failure fail(Errc code, std::string message);

// The calling thread's errno as the code, and "WHAT: strerror" as the sentence. Call it before anything that may change
// errno.
[[nodiscard]] Failure fail_errno(std::string_view what);
// The same with an explicit errno value (libbpf and posix_spawn return theirs).
[[nodiscard]] Failure fail_errno(int errno_value, std::string_view what);

// Passes `failed`'s error on with "WHAT: " before its sentence.
template <class T> [[nodiscard]] Failure fail(const Result<T>& failed, std::string_view what) {
  return fail(failed.error().code, std::string(what) + ": " + failed.error().message);
}
// Passes it on as it is.
template <class T> [[nodiscard]] Failure fail(const Result<T>& failed) { return tl::make_unexpected(failed.error()); }

}  // namespace cairn

template <> struct std::is_error_code_enum<cairn::Errc> : std::true_type {};
