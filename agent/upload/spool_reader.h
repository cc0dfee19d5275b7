#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "recorder/chunk.h"
#include "recorder/tail_record.h"

namespace cairn::agent {

struct SpooledChunk {
  recorder::ChunkHeader header;
  std::string bytes;  // header and frame, exactly as in the file
};

// What walking over the headers of a spool file tells; the final chunk alone is checked as a whole, since a power cut
// can leave its size without its contents.
struct SpoolSurvey {
  uint64_t chunks = 0;  // whole ones
  uint64_t bytes = 0;   // that they take
  uint64_t file_bytes = 0;
  bool has_final = false;  // the last whole one is the recording's final chunk

  bool is_sealed() const { return has_final && bytes == file_bytes; }
};

// Reads one session's spool file chunk by chunk while its worker may still append. One thread at a time; every call
// blocks on the disk.
class SpoolReader {
 public:
  // `path` is SESSION_UUID.rec; a chunk of any other session is refused as corrupt.
  static Result<SpoolReader> open(const std::filesystem::path& path);

  // Makes chunk `number` the next one.
  //   fails  kTruncated: the file has fewer whole chunks. kCorrupt: what lies before is no sequence of chunks.
  Result<void> seek(uint64_t number);

  // The next chunk, or nullopt when it is not there as a whole. It is on the disk for good when this returns, so that
  // auth never holds what a power cut takes from the node.
  //   fails  kCorrupt: where the next chunk should be lies something else. The reader stays where it is.
  Result<std::optional<SpooledChunk>> next();

  Result<SpoolSurvey> survey() const;
  // The recording's first event.
  Result<recorder::Begin> begin() const;
  // What there is of the chunk that comes next and is not sealed, durable on the disk; empty when there is nothing.
  Result<recorder::TailContents> tail() const;

  uint64_t number() const { return number_; }  // of the next chunk
  uint64_t offset() const { return offset_; }  // in bytes, of the next chunk

 private:
  SpoolReader(std::filesystem::path path, UniqueFd fd, std::array<unsigned char, 16> session)
      : path_(std::move(path)), fd_(std::move(fd)), session_(session) {}
  Result<std::optional<recorder::ChunkHeader>> header_at(uint64_t offset, uint64_t number) const;
  Result<std::optional<SpooledChunk>> chunk_at(uint64_t offset, uint64_t number) const;
  Result<std::string> read(uint64_t offset, size_t count) const;
  Result<uint64_t> file_bytes() const;

  std::filesystem::path path_;
  UniqueFd fd_;
  std::array<unsigned char, 16> session_;
  uint64_t number_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace cairn::agent
