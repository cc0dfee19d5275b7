#include "recorder/summary.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/unique_fd.h"

namespace cairn::recorder {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
// A hostile recording may scatter its numbers; sets are kept below this, some 12 MB each.
constexpr size_t kMaxRanges = 128 * 1024;
constexpr size_t kMaxFindings = 20;

void find(Summary& summary, std::string finding) {
  if (summary.findings.size() < kMaxFindings) summary.findings.push_back(std::move(finding));
}

void find_difference(Summary& summary, std::string_view what, uint64_t said, uint64_t counted) {
  if (said == counted) return;
  find(summary, fmt::format("the end says {} {}, the recording holds {}", said, what, counted));
}

}  // namespace

void SummaryBuilder::add(const Event& event) {
  if (counted_.events++ == 0) {
    counted_.first_boot_ns = event.boot_ns();
    counted_.last_boot_ns = event.boot_ns();
  }
  if (event.late()) ++counted_.late_events;
  if (!event.late() && event.boot_ns() < counted_.last_boot_ns) {
    find(counted_, fmt::format("event {} is out of order and not marked late", counted_.events - 1));
  }
  counted_.first_boot_ns = std::min(counted_.first_boot_ns, event.boot_ns());
  counted_.last_boot_ns = std::max(counted_.last_boot_ns, event.boot_ns());
  counted_.totals.add(event);
  if (event.kernel_seq() != 0) note_number(event.kernel_seq());
  if (event.kind_case() == Event::kBegin) counted_.begin = event.begin();
  if (event.kind_case() == Event::kEnd) counted_.end = event.end();
  if (event.kind_case() == Event::kGap) note_gap(event.gap());
}

void SummaryBuilder::note_number(uint64_t number) {
  if (stored_.contains(number)) {
    find(counted_, fmt::format("kernel sequence number {} occurs twice", number));
  } else if (stored_.ranges() < kMaxRanges) {
    stored_.insert(number);
  } else {
    is_too_fragmented_ = true;
  }
}

void SummaryBuilder::note_gap(const Gap& gap) {
  ++counted_.gaps;
  counted_.missing_output_bytes += gap.output_bytes();
  counted_.missing_other_events += gap.other_events();
  if (gap.from_seq() == 0) {
    // Unreadable records spent numbers, which the gaps with numbers cover; a dead worker's count is open.
    if (gap.reason() == recording::v1::GAP_REASON_INTERRUPTED) has_unknown_gap_ = true;
    if (gap.reason() == recording::v1::GAP_REASON_NOT_SEEN) was_blind_ = true;
  } else if (gap.to_seq() < gap.from_seq() || gap.count() != gap.to_seq() - gap.from_seq() + 1) {
    find(counted_,
         fmt::format("a gap from {} to {} says that {} events are missing", gap.from_seq(), gap.to_seq(), gap.count()));
  } else if (in_gaps_.ranges() < kMaxRanges) {
    in_gaps_.insert({gap.from_seq(), gap.to_seq()});
  } else {
    is_too_fragmented_ = true;
  }
}

Summary SummaryBuilder::finish(const RecordingDecoder& decoder) const {
  Summary summary = counted_;
  summary.bytes = decoder.offset();
  summary.chunks = decoder.whole_chunks();
  summary.unknown_events = decoder.unknown_events();
  summary.kernel_stored = stored_.count();
  summary.kernel_missing = in_gaps_.count() - in_gaps_.common(stored_);
  const uint64_t highest = std::max(stored_.highest(), in_gaps_.highest());
  summary.kernel_issued = summary.end ? summary.end->kernel_issued() : highest;
  summary.is_complete = decoder.is_complete();
  if (const Result<void> end = decoder.finish(); !end) summary.truncation = end.error();
  if (is_too_fragmented_) find(summary, "the kernel sequence numbers are too scattered to account for");
  if (summary.is_complete && counted_.end) check_against_end(*counted_.end, summary, decoder.index());

  const bool is_known = !is_too_fragmented_ && !has_unknown_gap_ && !was_blind_ && highest <= summary.kernel_issued;
  summary.is_accounted =
      summary.is_complete && is_known && summary.kernel_stored + summary.kernel_missing == summary.kernel_issued;
  summary.is_sequence_complete = summary.is_accounted && summary.kernel_missing == 0;
  return summary;
}

void SummaryBuilder::check_against_end(const End& end, Summary& summary, const ChunkIndex& index) const {
  const Totals& totals = summary.totals;
  find_difference(summary, "bytes of output", end.output_bytes(), totals.output_bytes);
  find_difference(summary, "execs", end.execs(), totals.execs);
  find_difference(summary, "opens", end.opens(), totals.opens);
  find_difference(summary, "connects", end.connects(), totals.connects);
  find_difference(summary, "changes", end.changes(), totals.changes);
  find_difference(summary, "sockets", end.sockets(), totals.sockets);
  find_difference(summary, "tampers", end.tampers(), totals.tampers);
  find_difference(summary, "folded", end.folded(), totals.folded);
  find_difference(summary, "kernel events", end.kernel_stored(), summary.kernel_stored);
  find_difference(summary, "missing kernel events", end.kernel_missing(), summary.kernel_missing);
  if (!index.matches(end)) find(summary, "the end's index is not that of the chunks");
  const bool is_unknown = end.reason() == recording::v1::END_REASON_INTERRUPTED && end.kernel_issued() == 0;
  if (!is_unknown && !has_unknown_gap_ && summary.kernel_stored + summary.kernel_missing != end.kernel_issued()) {
    find(summary, fmt::format("the kernel issued {} sequence numbers; {} are stored and {} in gaps",
                              end.kernel_issued(), summary.kernel_stored, summary.kernel_missing));
  }
}

Result<Summary> summarize(const std::filesystem::path& path, Unlock unlock) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(fmt::format("open {}", path.string()));
  RecordingDecoder decoder(std::move(unlock));
  SummaryBuilder builder;
  std::string piece(kReadBytes, '\0');
  for (;;) {
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read {}", path.string()));
    if (got == 0) return builder.finish(decoder);
    decoder.feed(std::string_view(piece).substr(0, static_cast<size_t>(got)));
    for (;;) {
      const Result<std::optional<Event>> next = decoder.next();
      if (!next) return fail(next, path.string());
      const std::optional<Event>& event = *next;
      if (!event) break;
      builder.add(*event);
    }
  }
}

}  // namespace cairn::recorder
