// Tails of recordings, and batches of events as they lie inside.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "recorder/chunk_content.h"
#include "recorder/columns.h"
#include "recorder/crc32c.h"
#include "recorder/tail_record.h"

using namespace cairn;
using namespace cairn::recorder;

namespace {

// A fuzzer finds no checksum.
std::string with_checksums(std::string bytes) {
  constexpr size_t kMetaAt = 56;
  constexpr size_t kBodyAt = 60;
  constexpr size_t kCrcAt = 68;
  for (size_t at = 0; at + kTailRecordBytes <= bytes.size();) {
    const uint64_t rest = uint64_t{read_le32(bytes.data() + at + kMetaAt)} + read_le32(bytes.data() + at + kBodyAt);
    if (rest > bytes.size() - at - kTailRecordBytes) break;
    write_le32(bytes.data() + at + kCrcAt, 0);
    write_le32(bytes.data() + at + kCrcAt, crc32c(std::string_view(bytes).substr(at, kTailRecordBytes + rest)));
    at += kTailRecordBytes + rest;
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string bytes = with_checksums(std::string(reinterpret_cast<const char*>(input), size));
  if (Result<DecodedColumns> batch = decode_columns(bytes)) {
    // Once through, it stays what it is.
    std::string again;
    append_columns(std::move(batch->events), again);
    if (!decode_columns(again)) __builtin_trap();
  }
  const uint64_t chunk = last_chunk_of_tail(bytes).value_or(0);
  const TailContents contents = read_tail(bytes, chunk);
  static_cast<void>(chunk_of_pieces(contents.start, contents.pieces));
  PieceReader reader(chunk, nullptr);
  for (std::string_view rest = contents.pieces; !rest.empty();) {
    const Result<ParsedTailRecord> record = parse_tail_record(rest);
    if (!record || !reader.add(record->bytes)) break;
    rest.remove_prefix(record->bytes.size());
  }
  return 0;
}
