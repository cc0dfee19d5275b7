#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/derived.pb.h"
#include "recorder/recording_keys.h"

namespace cairn::recorder {

// What was derived from a recording, in a file beside it: a header, then one segment for each chunk of events, appended
// as chunks come. Segments hold what was on the screen, so they are encrypted whenever the recording is, with a key
// that follows from its secret. A cache: damaged, torn or of another version it is simply not there.
//
//   header   "CAIRNDER", version (4), flags (4), session (16), salt (32)
//   segment  magic (4), bytes of state (4), bytes of content (4), commands (4), chunk (8), next chunk (8), its offset
//   (8),
//            first and last boot_ns (8 each), two nonces (12 each); then state and content: each 4 bytes of length and
//            a zstd frame, AES-256-GCM around both where there is a key; numbers little-endian

// Changes with everything that changes what is derived.
constexpr uint32_t kDerivedVersion = 1;
constexpr size_t kMaxStateBytes = size_t{32} << 20;
constexpr size_t kMaxContentBytes = size_t{64} << 20;

struct DerivedSegment {
  uint64_t chunk = 0;          // from which it was derived
  uint64_t next_chunk = 0;     // where playing goes on with this segment's state
  uint64_t next_offset = 0;    // of that chunk, in the recording
  uint64_t first_boot_ns = 0;  // of the chunk
  uint64_t last_boot_ns = 0;   // largest of all events so far that were not late
  uint32_t commands = 0;       // that were started in it
  // Where it lies.
  uint64_t offset = 0;
  uint32_t state_bytes = 0;
  uint32_t content_bytes = 0;
};

// One thread at a time; blocks on the disk.
class DerivedFile {
 public:
  // What there is of it, its torn end left out.
  //   keys   nullptr: the recording is not encrypted
  //   fails  kNotFound: nothing of this session and version; an errno
  static Result<DerivedFile> open(UniqueFd file, const std::array<unsigned char, 16>& session,
                                  const RecordingKeys* keys);
  // To append to; begun anew when it is not what open() would take.
  static Result<DerivedFile> open_or_begin(UniqueFd file, const std::array<unsigned char, 16>& session,
                                           const RecordingKeys* keys);

  const std::vector<DerivedSegment>& segments() const { return segments_; }
  // The state after the segment's chunk (Deriver::save), and what the chunk brought.
  //   fails  kCorrupt: drop the file
  Result<std::string> state(const DerivedSegment& segment) const;
  Result<derived::v1::Content> content(const DerivedSegment& segment) const;

  // Where it lies, and its count of commands, are set here.
  Result<void> append(DerivedSegment segment, std::string_view state, const derived::v1::Content& content);

  uint64_t bytes() const { return end_; }

 private:
  DerivedFile(UniqueFd file, std::string header, Secret key)
      : file_(std::move(file)), header_(std::move(header)), key_(std::move(key)) {}

  Result<void> walk();
  Result<std::string> open_part(const DerivedSegment& segment, bool is_content) const;

  UniqueFd file_;
  std::string header_;
  Secret key_;  // empty: nothing is encrypted
  std::vector<DerivedSegment> segments_;
  uint64_t end_ = 0;
};

}  // namespace cairn::recorder
