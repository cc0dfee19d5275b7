#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::recorder {

// RFC 3161: the word of somebody who has nothing to do with the cluster that bytes existed at a time.

constexpr size_t kMaxTimestampBytes = 64 * 1024;

// A TimeStampReq, DER: SHA-256 of `data`, a random nonce, and the wish for the authority's certificate.
std::string timestamp_query(std::string_view data);

// A TimeStampResp's time, seconds since 1970, when it grants one for `data`. Its signature is not looked at.
//   fails  kCorrupt: it is no response, refuses, or is for other bytes
Result<int64_t> read_timestamp(std::string_view response, std::string_view data);

// The same, signed by one of these authorities.
//   authorities_pem  X.509: roots of timestamp authorities; certificates between them and the signer may be in here,
//   too fails            kUnauthenticated: nobody who is trusted has signed it; as read_timestamp()
Result<int64_t> check_timestamp(std::string_view response, std::string_view data, const std::string& authorities_pem);

}  // namespace cairn::recorder
