#include "recorder/recording_writer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/gap.h"
#include "recorder/utf8.h"

namespace cairn::recorder {
namespace {

constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();
// Output of one channel that came in pieces within this time is one event: programs write as they please.
constexpr uint64_t kJoinNs = 5'000'000;
// Of a field of the batch: tag and length.
constexpr size_t kFieldBytes = 6;

}  // namespace

RecordingWriter::RecordingWriter(ChunkWriter chunks, uint64_t boot_ns)
    : chunks_(std::move(chunks)), last_boot_ns_(boot_ns) {}

Result<RecordingWriter> RecordingWriter::create(std::filesystem::path path, const Begin& begin, uint64_t boot_ns,
                                                uint64_t quota_bytes) {
  if (!is_uuid(begin.session_id())) {
    return fail(Errc::kInvalid, fmt::format("create {}: the session id is no UUID", path.string()));
  }
  Result<SpoolFile> file = SpoolFile::create_nameless(path);
  if (!file) return fail(file);
  ChunkWriter chunks(std::move(*file), uuid_bytes(begin.session_id()), quota_bytes);
  Batch batch;
  Event& first = *batch.add_events();
  first.set_boot_ns(boot_ns);
  *first.mutable_begin() = begin;
  make_strings_valid(first);
  if (Result<void> written = chunks.append(batch, ChunkWriter::Room::kWithinQuota); !written) return fail(written);
  if (Result<void> named = chunks.publish(); !named) return fail(named);
  return RecordingWriter(std::move(chunks), boot_ns);
}

void RecordingWriter::add(Event event) {
  if (is_sealed_ || chunks_.refusal()) return;
  event.clear_late();
  if (event.kind_case() != Event::kOutput || event.output().data().size() <= kMaxOutputBytes) {
    admit(std::move(event));
    return;
  }
  const std::string data = std::move(*event.mutable_output()->mutable_data());
  for (size_t at = 0; at < data.size(); at += kMaxOutputBytes) {
    event.mutable_output()->set_data(data.substr(at, kMaxOutputBytes));
    admit(event);
  }
}

void RecordingWriter::admit(Event event) {
  if (event.kind_case() == Event::kOutput && event.output().data().empty()) return;
  if (!is_kernel_event(event)) event.clear_kernel_seq();
  make_strings_valid(event);
  if (event.ByteSizeLong() > kMaxEventBytes && !replace_oversize(event)) return;
  if (event.kind_case() == Event::kGap) ledger_.declare({event.gap().from_seq(), event.gap().to_seq()});
  if (event.kernel_seq() != 0) ledger_.note(event.kernel_seq());
  window_.add(std::move(event));
  relieve_window();
}

// False when nothing is left to record.
bool RecordingWriter::replace_oversize(Event& event) {
  if (event.kernel_seq() != 0) {
    const uint64_t number = event.kernel_seq();
    event = gap_event(event.boot_ns(), {number, number}, recording::v1::GAP_REASON_UNREADABLE);
    return true;
  }
  ++lost_other_events_;
  return false;
}

// Memory stays bounded whatever the sources do, at the price of order: what comes later for this time is marked late.
void RecordingWriter::relieve_window() {
  while (window_.is_too_full()) {
    if (std::optional<Event> oldest = window_.take_until(kForever)) enqueue(std::move(*oldest));
  }
  // An error is not lost: it stays with the file, and the next flush() meets it again.
  while (pending_bytes_ > kMaxPendingBytes) {
    if (!write_next_chunk()) drop_oldest_beyond(kMaxPendingBytes);
  }
}

void RecordingWriter::release(uint64_t up_to_boot_ns) {
  while (std::optional<Event> event = window_.take_until(up_to_boot_ns)) enqueue(std::move(*event));
}

void RecordingWriter::enqueue(Event event) {
  if (event.boot_ns() < last_boot_ns_) {
    event.set_late(true);
  } else {
    last_boot_ns_ = event.boot_ns();
    if (join_last(event)) return;
  }
  const size_t bytes = event.ByteSizeLong() + kFieldBytes;
  pending_.push_back({.event = std::move(event), .bytes = bytes});
  pending_bytes_ += bytes;
}

bool RecordingWriter::join_last(const Event& event) {
  if (pending_.empty() || event.kind_case() != Event::kOutput) return false;
  Pending& last = pending_.back();
  if (last.event.kind_case() != Event::kOutput || last.event.late()) return false;
  recording::v1::TerminalOutput& output = *last.event.mutable_output();
  const std::string& more = event.output().data();
  if (output.channel() != event.output().channel() || output.stream() != event.output().stream() ||
      event.boot_ns() - last.event.boot_ns() > kJoinNs || output.data().size() + more.size() > kMaxOutputBytes) {
    return false;
  }
  output.mutable_data()->append(more);
  last.bytes += more.size();
  pending_bytes_ += more.size();
  return true;
}

Result<void> RecordingWriter::check_open() const {
  if (is_sealed_) return fail(Errc::kClosed, "the recording is sealed");
  const std::optional<Error>& refusal = chunks_.refusal();
  if (refusal) return fail(refusal->code, refusal->message);
  return {};
}

Result<void> RecordingWriter::flush(uint64_t now_boot_ns) {
  if (Result<void> open = check_open(); !open) return open;
  for (const SequenceRange range : ledger_.overdue(now_boot_ns)) {
    window_.add(gap_event(now_boot_ns, range, recording::v1::GAP_REASON_RING_FULL));
  }
  release(now_boot_ns - std::min(now_boot_ns, ReorderWindow::kSpanNs));
  while (is_due(now_boot_ns)) {
    if (Result<void> written = write_next_chunk(); !written) {
      drop_oldest_beyond(kMaxPendingBytes);
      return written;
    }
  }
  return {};
}

bool RecordingWriter::is_due(uint64_t now_boot_ns) const {
  if (has_losses() || pending_bytes_ >= kFlushRawBytes) return true;
  if (pending_.empty()) return false;
  const uint64_t oldest = pending_.front().event.boot_ns();
  return now_boot_ns >= oldest && now_boot_ns - oldest >= kMaxChunkAgeNs;
}

Result<void> RecordingWriter::flush_all() {
  if (Result<void> open = check_open(); !open) return open;
  release(kForever);
  while (!pending_.empty() || has_losses()) {
    if (Result<void> written = write_next_chunk(); !written) {
      drop_oldest_beyond(kMaxPendingBytes);
      return written;
    }
  }
  return {};
}

Result<void> RecordingWriter::write_next_chunk() {
  Batch batch;
  const int losses = add_losses(batch, losses_boot_ns());
  size_t raw_bytes = batch.ByteSizeLong();
  size_t taken = 0;
  size_t taken_bytes = 0;
  // kMaxEventBytes on top of the target stays below kMaxRawBytes.
  while (taken < pending_.size() && raw_bytes < kChunkTargetBytes) {
    batch.add_events()->Swap(&pending_[taken].event);
    raw_bytes += pending_[taken].bytes;
    taken_bytes += pending_[taken].bytes;
    ++taken;
  }
  if (Result<void> written = chunks_.append(batch, ChunkWriter::Room::kWithinQuota); !written) {
    for (size_t i = 0; i < taken; ++i) pending_[i].event.Swap(batch.mutable_events(losses + static_cast<int>(i)));
    return written;
  }
  forget_losses(batch, losses);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken));
  pending_bytes_ -= taken_bytes;
  return {};
}

bool RecordingWriter::has_losses() const {
  return !lost_.empty() || lost_output_bytes_ != 0 || lost_other_events_ != 0;
}

// What was dropped came before everything that still waits.
uint64_t RecordingWriter::losses_boot_ns() const {
  const auto next = std::ranges::find_if(pending_, [](const Pending& waiting) { return !waiting.event.late(); });
  return next == pending_.end() ? last_boot_ns_ : next->event.boot_ns();
}

int RecordingWriter::add_losses(Batch& batch, uint64_t boot_ns) const {
  for (const SequenceRange range : lost_.lowest(kMaxGapsPerChunk)) {
    *batch.add_events() = gap_event(boot_ns, range, recording::v1::GAP_REASON_SPOOL_FULL);
  }
  if (lost_output_bytes_ != 0 || lost_other_events_ != 0) {
    Event& event = *batch.add_events();
    event.set_boot_ns(boot_ns);
    event.mutable_gap()->set_reason(recording::v1::GAP_REASON_SPOOL_FULL);
    event.mutable_gap()->set_output_bytes(lost_output_bytes_);
    event.mutable_gap()->set_other_events(lost_other_events_);
  }
  return batch.events_size();
}

void RecordingWriter::forget_losses(const Batch& batch, int count) {
  for (int i = 0; i < count; ++i) {
    const Gap& gap = batch.events(i).gap();
    if (gap.count() != 0) {
      lost_.erase({gap.from_seq(), gap.to_seq()});
    } else {
      lost_output_bytes_ = 0;
      lost_other_events_ = 0;
    }
  }
}

void RecordingWriter::drop_oldest_beyond(size_t limit_bytes) {
  while (!pending_.empty() && pending_bytes_ > limit_bytes) {
    account_for_drop(pending_.front().event);
    pending_bytes_ -= pending_.front().bytes;
    pending_.pop_front();
  }
}

void RecordingWriter::account_for_drop(const Event& event) {
  if (event.kernel_seq() != 0) {
    ledger_.lose(event.kernel_seq());
    lost_.insert(event.kernel_seq());
  } else if (event.kind_case() == Event::kGap && event.gap().count() != 0) {
    lost_.insert({event.gap().from_seq(), event.gap().to_seq()});  // a missing number stays missing
  } else if (event.kind_case() == Event::kOutput) {
    lost_output_bytes_ += event.output().data().size();
  } else {
    ++lost_other_events_;
  }
}

Result<void> RecordingWriter::seal(recording::v1::EndReason reason, uint64_t kernel_issued, uint64_t boot_ns) {
  if (Result<void> open = check_open(); !open) return open;
  release(kForever);
  boot_ns = std::max(boot_ns, last_boot_ns_);
  for (const SequenceRange range : ledger_.finish(kernel_issued)) {
    enqueue(gap_event(boot_ns, range, recording::v1::GAP_REASON_RING_FULL));
  }
  while (!pending_.empty()) {
    if (Result<void> written = write_next_chunk(); !written) {
      if (written.error().code != Errc::kSpoolFull) return written;
      drop_oldest_beyond(0);
    }
  }
  Event end;
  end.set_boot_ns(boot_ns);
  end.mutable_end()->set_reason(reason);
  end.mutable_end()->set_kernel_issued(kernel_issued);
  end.mutable_end()->set_kernel_stored(ledger_.stored());
  end.mutable_end()->set_kernel_missing(ledger_.missing());
  return write_end(std::move(end));
}

Result<void> RecordingWriter::write_end(Event end) {
  while (lost_.ranges() > kMaxGapsPerChunk) {
    Batch batch;
    const int losses = add_losses(batch, end.boot_ns());
    if (Result<void> written = chunks_.append(batch, ChunkWriter::Room::kBeyondQuota); !written) return written;
    forget_losses(batch, losses);
  }
  Batch batch;
  const int losses = add_losses(batch, end.boot_ns());
  if (Result<void> written = chunks_.append_final(batch, std::move(end)); !written) return written;
  forget_losses(batch, losses);
  is_sealed_ = true;
  return {};
}

}  // namespace cairn::recorder
