#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "recorder/chunk_builder.h"
#include "recorder/chunk_content.h"
#include "recorder/gap.h"
#include "recorder/recording_writer.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"

namespace cairn::recorder {
namespace {

constexpr uint64_t kNoQuota = std::numeric_limits<uint64_t>::max();
constexpr size_t kMaxTailBytes = size_t{256} << 20;

// What the headers of an abandoned recording's whole chunks say.
struct Found {
  Begin begin;
  uint64_t chunks = 0;
  uint64_t bytes = 0;
  std::array<unsigned char, 16> session = {};
  std::string last_leaf;
  ChunkIndex index;
  Totals totals;
  KernelPosition position;
  uint64_t last_boot_ns = 0;
  bool is_complete = false;
  std::string bad_chunk;  // why the bytes behind them are no chunk; empty: there are none
};

Result<void> note(Found& found, const ChunkView& chunk) {
  const ChunkHeader& header = chunk.header;
  if (header.number != found.chunks || (found.chunks != 0 && header.session != found.session)) {
    return fail(Errc::kCorrupt, fmt::format("chunk {} stands where chunk {} should", header.number, found.chunks));
  }
  if (found.chunks != 0 && std::string(header.previous.begin(), header.previous.end()) != found.last_leaf) {
    return fail(Errc::kCorrupt, fmt::format("chunk {} does not continue the one before it", header.number));
  }
  const Result<ChunkMeta> meta = parse_meta(chunk);
  if (!meta) return fail(meta);
  if (header.type == ChunkType::kBegin) {
    Result<Opening> opening = read_opening(chunk);
    if (!opening) return fail(opening);
    found.begin = opening->begin().begin();
  }
  if (header.type == ChunkType::kEvents) {
    found.index.add(found.bytes, header);
    found.totals.add(*meta);
    found.position = {.settled = meta->kernel_settled(), .stored = meta->kernel_stored()};
  }
  found.session = header.session;
  found.last_leaf = leaf_hash(chunk);
  found.last_boot_ns = std::max(found.last_boot_ns, header.last_boot_ns);
  found.is_complete = header.is_final();
  found.bytes += header.size();
  ++found.chunks;
  return {};
}

bool is_format_error(const Error& error) {
  return error.code == Errc::kCorrupt || error.code == Errc::kTruncated || error.code == Errc::kUnsupported;
}

Result<Found> scan(const SpoolFile& file) {
  Found found;
  while (found.bytes < file.bytes() && !found.is_complete) {
    const Result<std::string> bytes = file.read(found.bytes, kChunkHeaderBytes);
    if (!bytes) return fail(bytes);
    const Result<ChunkHeader> header = parse_chunk_header(*bytes);
    Result<void> noted = header ? Result<void>() : Result<void>(fail(header));
    if (header) {
      const Result<std::string> whole = file.read(found.bytes, header->size());
      if (!whole) return fail(whole);
      const Result<ChunkView> chunk = check_chunk(*whole);
      noted = chunk ? note(found, *chunk) : Result<void>(fail(chunk));
    }
    if (noted) continue;
    if (!is_format_error(noted.error())) return fail(noted);
    found.bad_chunk = noted.error().message;
    return found;
  }
  if (found.bytes < file.bytes()) found.bad_chunk = "bytes follow the final chunk";
  return found;
}

// While the host stayed up, only the last write can be torn, and it left the beginning of a chunk. A power cut may have
// torn whatever was not synced: within a second, any number of chunks.
bool is_torn_write(const SpoolFile& file, const Found& found, bool is_other_boot) {
  if (is_other_boot) return true;
  const Result<std::string> tail = file.read(found.bytes, kMaxChunkBytes + 1);
  if (!tail || tail->size() > kMaxChunkBytes) return false;
  const Result<ChunkHeader> header = parse_chunk_header(*tail);
  return header ? header->size() > tail->size() : header.error().code == Errc::kTruncated;
}

Result<void> cut_torn_tail(SpoolFile& file, const Found& found, const std::string& boot_id) {
  if (found.bad_chunk.empty()) return {};
  const bool is_other_boot = found.chunks != 0 && found.begin.boot_id() != boot_id;
  if (found.is_complete || !is_torn_write(file, found, is_other_boot)) {
    return fail(Errc::kCorrupt, fmt::format("{}: chunk {} at offset {}: {}", file.path().string(), found.chunks,
                                            found.bytes, found.bad_chunk));
  }
  return file.cut(found.bytes);
}

Result<void> append(SpoolFile& file, Found& found, const std::string& chunk) {
  const Result<ChunkView> view = check_chunk(chunk);
  if (!view) return fail(Errc::kInternal, "made a chunk that does not parse: " + view.error().message);
  Found with_it = found;
  if (Result<void> noted = note(with_it, *view); !noted) return noted;
  if (Result<void> appended = file.append(chunk, kNoQuota); !appended) return appended;
  found = std::move(with_it);
  return {};
}

// What the worker had put into the tail is kept as it is: encrypted, in pieces.
Result<void> append_open_chunk(SpoolFile& file, Found& found) {
  const Result<std::string> tail = read_file(TailFile::path_for(file.path()), kMaxTailBytes);
  if (!tail && tail.error().code == std::errc::no_such_file_or_directory) return {};
  if (!tail) return fail(tail);
  const TailContents contents = read_tail(*tail, found.chunks);
  if (contents.pieces.empty()) return {};
  const Result<std::string> chunk = chunk_of_pieces(contents.start, contents.pieces);
  // The checksums held, so this is no accident; the recording goes on without it and says so by its numbers.
  if (!chunk) return is_format_error(chunk.error()) ? Result<void>() : Result<void>(fail(chunk));
  const Result<void> appended = append(file, found, *chunk);
  return appended || !is_format_error(appended.error()) ? appended : Result<void>();
}

Events due_gaps(const Found& found, uint64_t boot_ns, std::optional<uint64_t> kernel_issued) {
  Events gaps;
  const uint64_t settled = found.position.settled;
  if (kernel_issued && *kernel_issued > settled) {
    gaps.push_back(gap_event(boot_ns, {settled + 1, *kernel_issued}, recording::v1::GAP_REASON_INTERRUPTED));
  }
  if (!kernel_issued && !found.begin.capture_tier().empty()) {
    gaps.push_back(unknown_gap_event(boot_ns, recording::v1::GAP_REASON_INTERRUPTED));
  }
  return gaps;
}

Event end_event(const Found& found, uint64_t boot_ns, std::optional<uint64_t> kernel_issued) {
  const uint64_t stored = found.position.stored;
  const uint64_t known = std::max(kernel_issued.value_or(0), found.position.settled);
  Event end;
  end.set_boot_ns(boot_ns);
  end.mutable_end()->set_reason(recording::v1::END_REASON_INTERRUPTED);
  end.mutable_end()->set_kernel_issued(kernel_issued.value_or(0));
  end.mutable_end()->set_kernel_stored(stored);
  end.mutable_end()->set_kernel_missing(known - std::min(known, stored));
  found.totals.copy_to(*end.mutable_end());
  found.index.copy_to(*end.mutable_end());
  return end;
}

Result<void> close(SpoolFile& file, const ClockAnchor& now, const std::string& boot_id,
                   std::optional<uint64_t> kernel_issued) {
  Result<Found> scanned = scan(file);
  if (!scanned) return fail(scanned);
  Found& found = *scanned;
  if (found.is_complete && found.bad_chunk.empty()) return {};
  if (found.chunks == 0) {
    return fail(Errc::kTruncated, fmt::format("{} holds no whole chunk; remove it", file.path().string()));
  }
  if (Result<void> cut = cut_torn_tail(file, found, boot_id); !cut) return cut;
  if (Result<void> appended = append_open_chunk(file, found); !appended) return appended;
  const uint64_t boot_ns = std::max(now.boot_ns, found.last_boot_ns);
  const auto place = [&] {
    return ChunkPlace{.session = found.session, .number = found.chunks, .previous = found.last_leaf, .anchor = now};
  };
  if (Events gaps = due_gaps(found, boot_ns, kernel_issued); !gaps.empty()) {
    KernelPosition after = found.position;
    after.settled = std::max(after.settled, kernel_issued.value_or(0));
    if (Result<void> appended = append(file, found, encode_plain_events(place(), std::move(gaps), after)); !appended)
      return appended;
  }
  Closing closing;
  *closing.mutable_end() = end_event(found, boot_ns, kernel_issued);
  if (Result<void> appended = append(file, found, encode_closing(place(), closing, found.position)); !appended)
    return appended;
  return file.sync();
}

}  // namespace

Result<void> close_interrupted(const std::filesystem::path& path, const ClockAnchor& now, const std::string& boot_id,
                               std::optional<uint64_t> kernel_issued) {
  Result<SpoolFile> file = SpoolFile::open_abandoned(path);
  if (!file) return fail(file, "close an interrupted recording");
  Result<void> closed = close(*file, now, boot_id, kernel_issued);
  if (!closed) return fail(closed, "close an interrupted recording");
  return closed;
}

Result<bool> is_locked(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return fail(Errc::kNotFound, fmt::format("{}: no such recording", path.string()));
  if (!fd) return fail_errno(fmt::format("open {}", path.string()));
  // Shared, so that two who ask at once do not take one another for the writer.
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return fail_errno(fmt::format("lock {}", path.string()));
}

}  // namespace cairn::recorder
