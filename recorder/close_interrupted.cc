#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/unique_fd.h"
#include "recorder/gap.h"
#include "recorder/recording_decoder.h"
#include "recorder/recording_writer.h"

namespace cairn::recorder {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr uint64_t kNoQuota = std::numeric_limits<uint64_t>::max();

// What the whole chunks of an abandoned recording hold.
struct Found {
  Totals totals;
  SequenceSet stored;
  SequenceSet in_gaps;
  uint64_t last_boot_ns = 0;
  bool has_capture = false;  // kernel events were to be recorded
};

void note(Found& found, const Event& event) {
  found.totals.add(event);
  found.last_boot_ns = std::max(found.last_boot_ns, event.boot_ns());
  if (event.kind_case() == Event::kBegin) found.has_capture = !event.begin().capture_tier().empty();
  if (event.kernel_seq() != 0) found.stored.insert(event.kernel_seq());
  if (event.kind_case() != Event::kGap) return;
  const Gap& gap = event.gap();
  if (gap.from_seq() != 0 && gap.from_seq() <= gap.to_seq()) found.in_gaps.insert({gap.from_seq(), gap.to_seq()});
}

// Every chunk was synced before the next was begun, so a crash can leave nothing but one chunk's beginning, or, when
// the disk kept the size and not the contents, one chunk's worth of anything.
bool is_torn_write(std::string_view tail) {
  const Result<ChunkHeader> header = parse_chunk_header(tail);
  if (header) return header->size() > tail.size() || (header->size() == tail.size() && !check_chunk(tail));
  if (header.error().code == Errc::kUnsupported || tail.size() > kMaxChunkBytes) return false;
  // Where no header is legible, a good chunk further on shows that this is damage and not the end.
  for (size_t at = 1; at + kChunkHeaderBytes <= tail.size(); ++at) {
    const Result<ChunkHeader> later = parse_chunk_header(tail.substr(at));
    if (later && at + later->size() <= tail.size() && check_chunk(tail.substr(at, later->size()))) return false;
  }
  return true;
}

Result<Found> scan(const SpoolFile& file, RecordingDecoder& decoder) {
  Found found;
  for (uint64_t offset = 0;;) {
    const Result<std::string> bytes = file.read(offset, kReadBytes);
    if (!bytes) return fail(bytes);
    if (bytes->empty()) return found;
    offset += bytes->size();
    decoder.feed(*bytes);
    for (;;) {
      const Result<std::optional<Event>> next = decoder.next();
      if (!next) return found;  // decoder.finish() tells
      const std::optional<Event>& event = *next;
      if (!event) break;
      note(found, *event);
    }
  }
}

// Returns false when there is nothing to cut and nothing to add: the recording is complete.
Result<bool> cut_torn_tail(SpoolFile& file, const RecordingDecoder& decoder) {
  const Result<void> end = decoder.finish();
  if (end) return false;
  if (end.error().code != Errc::kTruncated) {
    const Result<std::string> tail = file.read(decoder.offset(), kMaxChunkBytes + 1);
    if (!tail) return fail(tail);
    if (decoder.has_final() || !is_torn_write(*tail)) return fail(end, file.path().string());
  }
  if (decoder.whole_chunks() == 0) {
    return fail(Errc::kTruncated, fmt::format("{} holds no whole chunk; remove it", file.path().string()));
  }
  if (Result<void> cut = file.cut(decoder.offset()); !cut) return fail(cut);
  return true;
}

std::vector<Event> due_gaps(const Found& found, uint64_t boot_ns, std::optional<uint64_t> kernel_issued) {
  SequenceSet known = found.stored;
  for (const SequenceRange range : found.in_gaps.lowest(found.in_gaps.ranges())) known.insert(range);
  std::vector<Event> gaps;
  const uint64_t issued = std::max(kernel_issued.value_or(0), known.highest());
  if (issued != 0) {
    for (const SequenceRange range : known.absent({1, issued})) {
      gaps.push_back(gap_event(boot_ns, range, recording::v1::GAP_REASON_INTERRUPTED));
    }
  }
  if (!kernel_issued && found.has_capture) {
    gaps.push_back(unknown_gap_event(boot_ns, recording::v1::GAP_REASON_INTERRUPTED));
  }
  return gaps;
}

Event end_event(const Found& found, const std::vector<Event>& gaps, uint64_t boot_ns, uint64_t kernel_issued) {
  SequenceSet in_gaps = found.in_gaps;
  for (const Event& event : gaps) {
    if (event.gap().count() != 0) in_gaps.insert({event.gap().from_seq(), event.gap().to_seq()});
  }
  Event end;
  end.set_boot_ns(boot_ns);
  end.mutable_end()->set_reason(recording::v1::END_REASON_INTERRUPTED);
  end.mutable_end()->set_kernel_issued(kernel_issued);
  end.mutable_end()->set_kernel_stored(found.stored.count());
  end.mutable_end()->set_kernel_missing(in_gaps.count() - in_gaps.common(found.stored));
  return end;
}

}  // namespace

Result<void> close_interrupted(const std::filesystem::path& path, uint64_t boot_ns,
                               std::optional<uint64_t> kernel_issued) {
  Result<SpoolFile> file = SpoolFile::open_abandoned(path);
  if (!file) return fail(file, "close an interrupted recording");
  RecordingDecoder decoder;
  const Result<Found> found = scan(*file, decoder);
  if (!found) return fail(found, "close an interrupted recording");
  const Result<bool> must_close = cut_torn_tail(*file, decoder);
  if (!must_close) return fail(must_close, "close an interrupted recording");
  if (!*must_close) return {};

  ChunkWriter chunks(std::move(*file), decoder.header().session, kNoQuota,
                     {.chunks = decoder.whole_chunks(), .index = decoder.index(), .totals = found->totals});
  boot_ns = std::max(boot_ns, found->last_boot_ns);
  const std::vector<Event> gaps = due_gaps(*found, boot_ns, kernel_issued);
  Batch batch;
  for (const Event& gap : gaps) {
    *batch.add_events() = gap;
    if (batch.events_size() < static_cast<int>(kMaxGapsPerChunk)) continue;
    if (Result<void> written = chunks.append(batch, ChunkWriter::Room::kBeyondQuota); !written) return written;
    batch.clear_events();
  }
  return chunks.append_final(std::move(batch), end_event(*found, gaps, boot_ns, kernel_issued.value_or(0)));
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
