#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace cairn::recorder {

// Tags of X.690 as their one byte.
constexpr uint8_t kDerInteger = 0x02;
constexpr uint8_t kDerOctets = 0x04;
constexpr uint8_t kDerOid = 0x06;
constexpr uint8_t kDerSequence = 0x30;
constexpr uint8_t kDerSet = 0x31;
constexpr uint8_t kDerContext0 = 0x80;  // [0], primitive
constexpr uint8_t kDerContext0Constructed = 0xa0;
constexpr uint8_t kDerContext1Constructed = 0xa1;

// Takes values off the front of foreign bytes: definite lengths in their shortest form (X.690 §10.1), tags of one byte,
// nothing beyond the end. Refers to the bytes, copies nothing.
class DerReader {
 public:
  explicit DerReader(std::string_view bytes) : rest_(bytes) {}

  bool is_at_end() const { return rest_.empty(); }
  std::optional<uint8_t> next_tag() const;
  // The contents of the next value.
  //   fails  kCorrupt: it has another tag, is no DER, or does not end here
  Result<std::string_view> take(uint8_t tag);
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace cairn::recorder
