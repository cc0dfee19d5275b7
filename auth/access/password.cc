#include "auth/access/password.h"

#include <crypt.h>

#include <array>
#include <memory>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include "base/bytes.h"

namespace cairn::auth {
namespace {

constexpr const char* kPrefix = "$2b$";
constexpr unsigned long kCost = 12;
// Of a random password that nobody knows; what is compared in place of a hash that does not exist.
constexpr const char* kNobodysHash = "$2b$12$4XcGsVbPnNmkmLcXvgOcWeEJrdfyaHMkvwYdvlRkUVnbCvqWGBbHK";

// crypt(3) with `setting`; empty when libcrypt refuses. Its work area of 32 KiB holds the password: wiped.
std::string crypt_with(std::string_view password, const char* setting) {
  struct Wipe {
    void operator()(crypt_data* area) const noexcept {
      OPENSSL_cleanse(area, sizeof *area);
      delete area;
    }
  };
  const std::unique_ptr<crypt_data, Wipe> area(new crypt_data{});
  std::string phrase(password);
  const char* hash = ::crypt_r(phrase.c_str(), setting, area.get());
  OPENSSL_cleanse(phrase.data(), phrase.size());
  // "*0" and "*1" are how libxcrypt says no (crypt(3)).
  return hash == nullptr || hash[0] == '*' ? std::string() : std::string(hash);
}

}  // namespace

Result<void> check_new_password(std::string_view password) {
  size_t characters = 0;
  for (const char c : password) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;  // UTF-8
  if (characters < kMinPasswordChars)
    return fail(Errc::kInvalid, fmt::format("password: {} characters; at least {}", characters, kMinPasswordChars));
  if (password.size() > kMaxPasswordBytes)
    return fail(Errc::kInvalid, fmt::format("password: {} bytes; at most {}", password.size(), kMaxPasswordBytes));
  if (password.find('\0') != std::string_view::npos) return fail(Errc::kInvalid, "password: it holds a NUL");
  return {};
}

Result<std::string> hash_password(std::string_view password) {
  if (Result<void> good = check_new_password(password); !good) return fail(good);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  const std::string salt = random_bytes(16);
  if (::crypt_gensalt_rn(kPrefix, kCost, salt.data(), static_cast<int>(salt.size()), setting.data(),
                         static_cast<int>(setting.size())) == nullptr)
    return fail_errno("libcrypt makes no bcrypt setting");
  std::string hash = crypt_with(password, setting.data());
  if (hash.empty()) return fail(Errc::kInternal, "libcrypt makes no bcrypt hash on this host");
  return hash;
}

bool password_matches(std::string_view password, const std::string& hash) {
  const bool is_possible =
      !hash.empty() && password.size() <= kMaxPasswordBytes && password.find('\0') == std::string_view::npos;
  const std::string setting = is_possible ? hash : kNobodysHash;
  const std::string_view tried = password.substr(0, kMaxPasswordBytes);
  const std::string made = crypt_with(tried, setting.c_str());
  return equal_constant_time(made, setting) && is_possible;
}

}  // namespace cairn::auth
