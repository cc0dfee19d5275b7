#include "agent/upload/spool_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/chunk_content.h"
#include "recorder/tail_file.h"

namespace cairn::agent {
namespace {

constexpr size_t kTailStepBytes = 64 * 1024;
constexpr size_t kMaxTailBytes = size_t{256} << 20;

}  // namespace

Result<SpoolReader> SpoolReader::open(const std::filesystem::path& path) {
  const std::string id = path.stem().string();
  if (!is_uuid(id)) return fail(Errc::kInvalid, fmt::format("{} is not named for a session", path.string()));
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(fmt::format("open {}", path.string()));
  return SpoolReader(path, std::move(fd), uuid_bytes(id));
}

Result<std::string> SpoolReader::read(uint64_t offset, size_t count) const {
  Result<std::string> bytes = read_at(fd_.get(), offset, count);
  return bytes ? std::move(bytes) : Result<std::string>(fail(bytes, path_.string()));
}

Result<uint64_t> SpoolReader::file_bytes() const {
  struct stat status{};
  if (::fstat(fd_.get(), &status) != 0) return fail_errno(fmt::format("stat {}", path_.string()));
  return static_cast<uint64_t>(status.st_size);
}

// The header of the whole chunk at `offset`, or nullopt when the file ends before its last byte.
Result<std::optional<recorder::ChunkHeader>> SpoolReader::header_at(uint64_t offset, uint64_t number) const {
  const Result<uint64_t> end = file_bytes();
  if (!end) return fail(end);
  if (offset + recorder::kChunkHeaderBytes > *end) return std::nullopt;
  const Result<std::string> bytes = read(offset, recorder::kChunkHeaderBytes);
  if (!bytes) return fail(bytes);
  const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(*bytes);
  if (!header) return fail(header, fmt::format("{}: chunk {} at offset {}", path_.string(), number, offset));
  if (header->session != session_ || header->number != number) {
    return fail(Errc::kCorrupt,
                fmt::format("{}: at offset {} lies chunk {} of session {}, not chunk {} of this one", path_.string(),
                            offset, header->number, uuid_text(header->session), number));
  }
  if (offset + header->size() > *end) return std::nullopt;
  return *header;
}

Result<std::optional<SpooledChunk>> SpoolReader::chunk_at(uint64_t offset, uint64_t number) const {
  const Result<std::optional<recorder::ChunkHeader>> found = header_at(offset, number);
  if (!found) return fail(found);
  const std::optional<recorder::ChunkHeader>& header = *found;
  if (!header) return std::nullopt;
  Result<std::string> bytes = read(offset, header->size());
  if (!bytes) return fail(bytes);
  const Result<recorder::ChunkView> checked = recorder::check_chunk(*bytes);
  if (!checked) return fail(checked, fmt::format("{}: chunk {} at offset {}", path_.string(), number, offset));
  return SpooledChunk{.header = checked->header, .bytes = std::move(*bytes)};
}

Result<void> SpoolReader::seek(uint64_t number) {
  if (number < number_) number_ = offset_ = 0;
  while (number_ < number) {
    const Result<std::optional<recorder::ChunkHeader>> found = header_at(offset_, number_);
    if (!found) return fail(found);
    const std::optional<recorder::ChunkHeader>& header = *found;
    if (!header) {
      return fail(Errc::kTruncated,
                  fmt::format("{} holds {} whole chunks, {} were expected", path_.string(), number_, number));
    }
    offset_ += header->size();
    number_++;
  }
  return {};
}

Result<std::optional<SpooledChunk>> SpoolReader::next() {
  Result<std::optional<SpooledChunk>> found = chunk_at(offset_, number_);
  if (!found) return found;
  const std::optional<SpooledChunk>& chunk = *found;
  if (!chunk) return found;
  if (::fdatasync(fd_.get()) != 0) return fail_errno(fmt::format("sync {}", path_.string()));
  offset_ += chunk->header.size();
  number_++;
  return found;
}

Result<SpoolSurvey> SpoolReader::survey() const {
  SpoolSurvey survey;
  const Result<uint64_t> end = file_bytes();
  if (!end) return fail(end);
  survey.file_bytes = *end;
  while (!survey.has_final) {
    const Result<std::optional<recorder::ChunkHeader>> found = header_at(survey.bytes, survey.chunks);
    if (!found) return fail(found);
    const std::optional<recorder::ChunkHeader>& header = *found;
    if (!header) break;
    if (header->is_final()) {
      const Result<std::optional<SpooledChunk>> whole = chunk_at(survey.bytes, survey.chunks);
      if (!whole) return fail(whole);
      survey.has_final = true;
    }
    survey.bytes += header->size();
    survey.chunks++;
  }
  return survey;
}

Result<recorder::Begin> SpoolReader::begin() const {
  const Result<std::optional<SpooledChunk>> found = chunk_at(0, 0);
  if (!found) return fail(found);
  const std::optional<SpooledChunk>& first = *found;
  if (!first) return fail(Errc::kTruncated, fmt::format("{} holds no whole chunk", path_.string()));
  const Result<recorder::ChunkView> chunk = recorder::check_chunk(first->bytes);
  if (!chunk) return fail(chunk, path_.string());
  const Result<recorder::Opening> opening = recorder::read_opening(*chunk);
  if (!opening) return fail(opening, path_.string());
  return opening->begin().begin();
}

Result<recorder::TailContents> SpoolReader::tail() const {
  const UniqueFd fd(::open(recorder::TailFile::path_for(path_).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return recorder::TailContents();
  if (!fd) return fail_errno(fmt::format("open the tail of {}", path_.string()));
  std::string bytes;
  for (std::string part(kTailStepBytes, '\0');;) {
    const ssize_t got = ::read(fd.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read the tail of {}", path_.string()));
    if (got == 0) break;
    bytes.append(part, 0, static_cast<size_t>(got));
    if (bytes.size() > kMaxTailBytes) return fail(Errc::kTooLarge, fmt::format("the tail of {}", path_.string()));
  }
  if (::fdatasync(fd.get()) != 0) return fail_errno(fmt::format("sync the tail of {}", path_.string()));
  return recorder::read_tail(bytes, number_);
}

}  // namespace cairn::agent
