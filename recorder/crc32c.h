#pragma once

#include <cstdint>
#include <string_view>

namespace cairn::recorder {

// CRC-32C (Castagnoli), RFC 3720 §12.1 and appendix B.4, as iSCSI and ext4 use it. `crc` continues an earlier result:
// crc32c(b, crc32c(a)) == crc32c(a + b). Uses the processor's instruction where there is one. Any thread.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

// The same by table, on any processor.
uint32_t crc32c_portable(std::string_view bytes, uint32_t crc = 0);

}  // namespace cairn::recorder
