// Hostile recordings: the decoder in slices, a chunk as auth receives it, and what recovery and verification read from
// a file. What a decoder accepts must be the same however it is sliced.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/archive/recompress.h"
#include "recorder/chunk_content.h"
#include "recorder/crc32c.h"
#include "recorder/recording_decoder.h"
#include "recorder/recording_writer.h"
#include "recorder/summary.h"
#include "recorder/screen/terminal_track.h"
#include "recorder/terminal_filter.h"
#include "recorder/verification.h"
#include "recorder/text.h"

namespace {

using namespace cairn;
using namespace cairn::recorder;

void require(bool holds) {
  if (!holds) std::abort();
}

// A fuzzer finds no checksum: half of the inputs get theirs put right, chunk by chunk, as far as sizes are legible.
std::string with_checksums(std::string bytes) {
  constexpr size_t kMetaAt = 84;
  constexpr size_t kPayloadAt = 88;
  constexpr size_t kBodyCrcAt = 160;
  constexpr size_t kHeaderCrcAt = 164;
  constexpr size_t kStoredBytesAt = kChunkHeaderBytes + 32;
  constexpr size_t kStoredCrcAt = kChunkHeaderBytes + 36;
  constexpr size_t kFactsCrcAt = kChunkHeaderBytes + 44;
  for (size_t at = 0; at + kChunkHeaderBytes <= bytes.size();) {
    const bool is_archived = bytes.compare(at, 4, "CRNA") == 0;
    const size_t head = is_archived ? kMaxHeaderBytes : kChunkHeaderBytes;
    if (head > bytes.size() - at) break;
    char* chunk = bytes.data() + at;
    const uint64_t body =
        uint64_t{read_le32(chunk + kMetaAt)} + read_le32(chunk + (is_archived ? kStoredBytesAt : kPayloadAt));
    if (body > bytes.size() - at - head) break;
    write_le32(chunk + (is_archived ? kStoredCrcAt : kBodyCrcAt), crc32c({chunk + head, body}));
    if (is_archived) {
      constexpr size_t kFactsBytes = kFactsCrcAt - kChunkHeaderBytes;
      write_le32(chunk + kFactsCrcAt, crc32c({chunk + kChunkHeaderBytes, kFactsBytes}));
    }
    // That of the header is of what the node wrote.
    const std::string header = "CRNR" + std::string(chunk + 4, kHeaderCrcAt - 4);
    write_le32(chunk + kHeaderCrcAt, crc32c(header));
    at += head + body;
  }
  return bytes;
}

struct Reading {
  size_t events = 0;
  size_t text_bytes = 0;
  std::string end;
};

Reading read_in_slices(std::string_view bytes, size_t slice) {
  Reading reading;
  RecordingDecoder decoder;
  SummaryBuilder builder;
  TerminalFilter filter;
  TerminalTrack track;
  for (size_t at = 0; at <= bytes.size(); at += slice) {
    decoder.feed(bytes.substr(at, slice));
    for (;;) {
      const Result<std::optional<Event>> event = decoder.next();
      if (!event || !*event) break;
      ++reading.events;
      reading.text_bytes += describe(**event).size() + filter.filter((*event)->output().data()).size();
      builder.add(**event);
      track.feed(**event);
    }
  }
  const Result<void> end = decoder.finish();
  if (!end) reading.end = end.error().message;
  require(builder.finish(decoder).is_complete == end.has_value());
  return reading;
}

// What recovery closes must read as complete afterwards, unless what its chunks hold is bad, which recovery cannot see
// (it may be encrypted); what it refuses must stay as it was.
void recover(const std::string& bytes) {
  // In memory: thousands of syncs a second would wear a disk and slow the search.
  static const std::string link = "/dev/shm/cairn-recording-fuzz-" + std::to_string(::getpid());
  require(write_file_atomically(link, bytes, 0600).has_value());
  const Result<void> closed =
      close_interrupted(link, 1, "", bytes.size() % 2 == 0 ? std::optional<uint64_t>(9) : std::nullopt);
  const std::string after = read_file(link, bytes.size() + (size_t{1} << 24)).value();
  if (closed) {
    const Result<Summary> summary = summarize(link);
    require(summary.has_value() ? summary->is_complete : summary.error().code == Errc::kCorrupt);
  } else {
    require(after == bytes);
  }
  ::unlink(link.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(input) + 1, size - 1);
  if ((input[0] & 1) != 0) bytes = with_checksums(std::move(bytes));
  if (const Result<ChunkView> chunk = check_chunk(bytes)) {
    static_cast<void>(read_chunk(*chunk, nullptr).has_value());
    // What can be recompressed says the same afterwards, under the same signatures.
    const Result<std::string> shorter = recompress_chunk(*chunk, nullptr);
    if (shorter) {
      const Result<ChunkView> archived = check_chunk(*shorter);
      require(archived && leaf_hash(*archived) == leaf_hash(*chunk) && shorter->size() <= bytes.size());
      require(read_chunk(*archived, nullptr).has_value() == read_chunk(*chunk, nullptr).has_value());
    }
  }
  const Reading whole = read_in_slices(bytes, bytes.size() + 1);
  const Reading sliced = read_in_slices(bytes, 1 + input[0] % 61);
  require(whole.events == sliced.events && whole.text_bytes == sliced.text_bytes && whole.end == sliced.end);
  recover(bytes);
  Verifier verifier;
  verifier.feed(bytes);
  static_cast<void>(verifier.finish({}));
  return 0;
}
