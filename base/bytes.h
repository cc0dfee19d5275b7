#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

// Fixed-width integers in network and in little-endian order, without alignment demands. `at` must have room.
uint32_t read_be32(const void* at);
void write_be32(void* at, uint32_t value);
uint32_t read_le32(const void* at);
void write_le32(void* at, uint32_t value);
uint64_t read_le64(const void* at);
void write_le64(void* at, uint64_t value);

// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);
// Fails with kInvalid on an odd length or a character that is no hexadecimal digit.
Result<std::string> from_hex(std::string_view text);

// RFC 4648 with padding, no line breaks.
std::string to_base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);

// `count` bytes from getrandom(2). Aborts when the kernel cannot deliver: nothing secret may be made without it.
std::string random_bytes(size_t count);

// SHA-256, 32 raw bytes.
std::string sha256(std::string_view bytes);

// True when both are equal; the time depends on the lengths alone.
bool equal_constant_time(std::string_view a, std::string_view b);

// A random UUID (RFC 4122 version 4) as "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".
std::string random_uuid();
// True for exactly that shape, lower case, any version. Check it before a UUID of a peer becomes a file name.
bool is_uuid(std::string_view text);
// The UUID's 16 bytes; the text must be one (is_uuid).
std::array<unsigned char, 16> uuid_bytes(std::string_view text);
std::string uuid_text(std::span<const unsigned char, 16> bytes);

}  // namespace cairn
