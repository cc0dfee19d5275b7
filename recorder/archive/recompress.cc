#include "recorder/archive/recompress.h"

#include <cstdlib>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <zstd.h>

#include "base/file.h"
#include "recorder/chunk_content.h"
#include "recorder/frame.h"

namespace cairn::recorder {
namespace {

bool is_worth_a_try(const ChunkHeader& header) {
  return header.type == ChunkType::kEvents && !header.archived &&
         (header.form == PayloadForm::kPlain || header.form == PayloadForm::kAge);
}

// One whole chunk; empty at the end of the file.
Result<std::string> chunk_at(int fd, uint64_t offset) {
  const Result<std::string> head = read_at(fd, offset, kMaxHeaderBytes);
  if (!head) return fail(head);
  if (head->empty()) return std::string();
  const Result<ChunkHeader> header = parse_chunk_header(*head);
  if (!header) return fail(header);
  return read_at(fd, offset, header->size());
}

Failure in_chunk(uint64_t number, const Error& error) {
  return fail(error.code, fmt::format("chunk {}: {}", number, error.message));
}

Result<void> check_pair(const std::string& before, const std::string& after, const RecordingKeys* keys) {
  if (before == after) return {};
  const Result<ChunkView> old = check_chunk(before);
  if (!old) return fail(old);
  const Result<ChunkView> archived = check_chunk(after);
  if (!archived) return fail(archived);
  if (leaf_hash(*old) != leaf_hash(*archived))
    return fail(Errc::kCorrupt, "what was signed of it is not what was signed of the original");
  const Result<std::string> raw = read_raw(*archived, keys);
  if (!raw) return fail(raw);
  return {};
}

}  // namespace

Result<std::string> recompress_chunk(const ChunkView& chunk, const RecordingKeys* keys, int level) {
  std::string as_it_is(chunk.bytes);
  if (!is_worth_a_try(chunk.header)) return as_it_is;
  const Result<std::string> raw = read_raw(chunk, keys);
  if (!raw) return fail(raw);
  std::string payload = compress_for_archive(*raw, level);
  if (chunk.header.form == PayloadForm::kAge) {
    Result<std::string> sealed = age_encrypt_again(chunk.payload, payload, keys->chunk_key(chunk.header.number).view());
    if (!sealed) return fail(sealed);
    payload = std::move(*sealed);
  }
  if (payload.size() + kArchiveFactsBytes >= chunk.payload.size()) return as_it_is;
  return encode_archived(chunk, payload);
}

Result<void> recompress(const RecompressJob& job) {
  uint64_t offset = 0;
  for (uint64_t number = 0;; ++number) {
    const Result<std::string> bytes = chunk_at(job.from.get(), offset);
    if (!bytes) return in_chunk(number, bytes.error());
    if (bytes->empty()) return {};
    const Result<ChunkView> chunk = check_chunk(*bytes);
    if (!chunk) return in_chunk(number, chunk.error());
    const Result<std::string> shorter = recompress_chunk(*chunk, job.keys.get());
    if (!shorter) return in_chunk(number, shorter.error());
    if (Result<void> written = write_all(job.to.get(), *shorter); !written) return written;
    offset += bytes->size();
  }
}

Result<void> check_recompressed(const RecompressJob& job) {
  uint64_t from = 0;
  uint64_t to = 0;
  for (uint64_t number = 0;; ++number) {
    const Result<std::string> before = chunk_at(job.from.get(), from);
    if (!before) return in_chunk(number, before.error());
    const Result<std::string> after = chunk_at(job.to.get(), to);
    if (!after) return in_chunk(number, after.error());
    if (before->empty() && after->empty()) return {};
    if (before->empty() || after->empty())
      return fail(Errc::kCorrupt, "the recompressed recording has another number of chunks");
    if (Result<void> same = check_pair(*before, *after, job.keys.get()); !same) return in_chunk(number, same.error());
    from += before->size();
    to += after->size();
  }
}

}  // namespace cairn::recorder
