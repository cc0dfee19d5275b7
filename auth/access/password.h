#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::auth {

// Passwords, kept as bcrypt hashes of cost 12 ("$2b$", crypt(5)). Making and checking one takes about a quarter of a
// second by design: call both on a pool.

constexpr size_t kMinPasswordChars = 8;
constexpr size_t kMaxPasswordBytes = 72;  // bcrypt reads no more; beyond it two passwords could be one

//   fails  kInvalid: too short, too long, or holds a NUL
Result<void> check_new_password(std::string_view password);

// The hash to store.
//   fails  kInvalid as above; kInternal: libcrypt refused
Result<std::string> hash_password(std::string_view password);

// True if `hash` is that of `password`. An empty hash stands for a user who does not exist or has no password: false,
// after the same time, so that an answer's delay does not tell who exists.
bool password_matches(std::string_view password, const std::string& hash);

}  // namespace cairn::auth
