#include "auth/access/names.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxNameChars = 64;
constexpr size_t kMaxHostNameChars = 63;
constexpr size_t kMaxLoginChars = 32;
constexpr size_t kMaxLabelValueBytes = 256;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_letter_or_digit(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

// Every character is a letter, a digit or one of `others`.
bool consists_of(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter_or_digit(c) || others.find(c) != std::string_view::npos; });
}

// Foreign text in a sentence: escaped, and not longer than a sentence bears.
std::string shown(std::string_view text) {
  constexpr size_t kMaxShownBytes = 80;
  const std::string cut =
      text.size() > kMaxShownBytes ? std::string(text.substr(0, kMaxShownBytes)) + "…" : std::string(text);
  const std::string safe = quoted_if_needed(cut);
  return safe.starts_with('"') ? safe : fmt::format("\"{}\"", safe);
}

}  // namespace

Result<void> check_name(std::string_view what, std::string_view name) {
  const bool is_good =
      !name.empty() && name.size() <= kMaxNameChars && is_letter_or_digit(name.front()) && consists_of(name, "._@-");
  if (is_good) return {};
  return fail(Errc::kInvalid,
              fmt::format("{} {}: a name is 1 to {} letters, digits or any of \"._@-\", and begins with "
                          "a letter or digit",
                          what, shown(name), kMaxNameChars));
}

Result<void> check_host_name(std::string_view name) {
  const bool is_good =
      !name.empty() && name.size() <= kMaxHostNameChars && is_lower_or_digit(name.front()) &&
      std::all_of(name.begin(), name.end(), [](char c) { return is_lower_or_digit(c) || c == '.' || c == '-'; });
  if (is_good) return {};
  return fail(Errc::kInvalid, fmt::format("host name {}: it is 1 to {} of a-z, 0-9, \".\" and \"-\", and begins with a "
                                          "letter or digit; give one with --name",
                                          shown(name), kMaxHostNameChars));
}

Result<void> check_login(std::string_view login) {
  const bool is_good = !login.empty() && login.size() <= kMaxLoginChars && login.front() != '-' &&
                       login.front() != '.' && consists_of(login, "_.-");
  if (is_good) return {};
  return fail(Errc::kInvalid, fmt::format("login {}: a UNIX account is 1 to {} letters, digits or any of \"_.-\"",
                                          shown(login), kMaxLoginChars));
}

Result<void> check_labels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() > kMaxLabels)
    return fail(Errc::kInvalid, fmt::format("{} labels; at most {} are kept", labels.size(), kMaxLabels));
  for (const auto& [key, value] : labels) {
    if (key != "*" && (key.empty() || key.size() > kMaxNameChars || !consists_of(key, "_./-")))
      return fail(Errc::kInvalid, fmt::format("label {}: a key is 1 to {} letters, digits or any of \"_./-\"",
                                              shown(key), kMaxNameChars));
    const bool is_printable = std::all_of(value.begin(), value.end(),
                                          [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 127; });
    if (value.size() > kMaxLabelValueBytes || !is_printable) {
      return fail(Errc::kInvalid, fmt::format("label {}: its value is at most {} bytes, without control characters",
                                              shown(key), kMaxLabelValueBytes));
    }
  }
  return {};
}

Result<void> check_text(std::string_view what, std::string_view text, size_t limit_bytes) {
  if (text.size() > limit_bytes)
    return fail(Errc::kInvalid, fmt::format("{} of {} bytes, limit {}", what, text.size(), limit_bytes));
  if (text.find('\0') != std::string_view::npos) return fail(Errc::kInvalid, fmt::format("{} holds a NUL", what));
  return {};
}

}  // namespace cairn::auth
