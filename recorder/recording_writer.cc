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
constexpr size_t kFieldBytes = 6;  // what an event takes in the other columns

// What one thread saw in this order, some of it in less than a tick.
bool is_of_the_terminal(const Event& event) {
  switch (event.kind_case()) {
    case Event::kOutput:
    case Event::kInput:
    case Event::kResize:
    case Event::kChannelClosed: return true;
    default: return false;
  }
}

}  // namespace

RecordingWriter::RecordingWriter(RecordingFile file, const ClockAnchor& now)
    : file_(std::move(file)), now_(now), compared_(now), last_boot_ns_(now.boot_ns), committed_boot_ns_(now.boot_ns) {}

Result<RecordingWriter> RecordingWriter::create(std::filesystem::path path, const Begin& begin, const ClockAnchor& now,
                                                RecordingOptions options) {
  if (!is_uuid(begin.session_id())) {
    return fail(Errc::kInvalid, fmt::format("create {}: the session id is no UUID", path.string()));
  }
  Event first;
  first.set_boot_ns(now.boot_ns);
  *first.mutable_begin() = begin;
  make_strings_valid(first);
  Result<RecordingFile> file = RecordingFile::create(path, first, now, std::move(options));
  if (!file) return fail(file);
  return RecordingWriter(std::move(*file), now);
}

void RecordingWriter::add(Event event) {
  if (file_.has_end() || file_.refusal()) return;
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
  // As output will be read again; later rather than earlier, so that it stays behind what caused it. What else the
  // terminal's clock orders stays before or behind it.
  if (is_of_the_terminal(event)) {
    event.set_boot_ns((event.boot_ns() + kOutputTickNs - 1) / kOutputTickNs * kOutputTickNs);
  }
  make_strings_valid(event);
  if (event.ByteSizeLong() > kMaxEventBytes && !replace_oversize(event)) return;
  if (event.kind_case() == Event::kGap) ledger_.declare({event.gap().from_seq(), event.gap().to_seq()});
  if (event.kernel_seq() != 0) ledger_.note(event.kernel_seq());
  if (event.kind_case() == Event::kChannelClosed && !has_exit_ && event.channel_closed().channel() == 0) {
    has_exit_ = true;
    exit_ = event.channel_closed();
  }
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
    if (!write_next_batch(RecordingFile::Room::kWithinQuota)) drop_oldest_beyond(kMaxPendingBytes);
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
  if (file_.has_end()) return fail(Errc::kClosed, "the recording is sealed");
  const std::optional<Error>& refusal = file_.refusal();
  if (refusal) return fail(refusal->code, refusal->message);
  return {};
}

Result<void> RecordingWriter::flush(const ClockAnchor& now) {
  if (Result<void> open = check_open(); !open) return open;
  note_clocks(now);
  for (const SequenceRange range : ledger_.overdue(now.boot_ns)) {
    window_.add(gap_event(now.boot_ns, range, recording::v1::GAP_REASON_RING_FULL));
  }
  release(now.boot_ns - std::min(now.boot_ns, ReorderWindow::kSpanNs));
  return write_due(now, false);
}

// What people call the time may jump while the time since boot does not: the recording says when and how far.
void RecordingWriter::note_clocks(const ClockAnchor& now) {
  now_ = now;
  if (compared_.wall_ns == 0) compared_ = now;
  if (now.wall_ns == 0) return;
  const ClockAnchor& before = compared_;
  const auto passed_ns = static_cast<int64_t>(now.boot_ns - before.boot_ns);
  const int64_t step_ns = now.wall_ns - before.wall_ns - passed_ns;
  const int64_t asleep_ns = passed_ns - static_cast<int64_t>(now.mono_ns - before.mono_ns);
  const bool has_stepped = step_ns > kClockStepNs || step_ns < -kClockStepNs;
  const bool has_slept = asleep_ns > kClockStepNs;
  if (!has_stepped && !has_slept) return;
  compared_ = now;
  Event event;
  event.set_boot_ns(now.boot_ns);
  event.mutable_clock_step()->set_wall_ns(now.wall_ns);
  if (has_stepped) event.mutable_clock_step()->set_step_ns(step_ns);
  if (has_slept) event.mutable_clock_step()->set_suspended_ns(static_cast<uint64_t>(asleep_ns));
  window_.add(std::move(event));
}

Result<void> RecordingWriter::write_due(const ClockAnchor& now, bool everything) {
  bool has_written = false;
  bool has_aged = false;
  while (everything ? !pending_.empty() || has_losses() : is_due(now.boot_ns)) {
    has_written = true;
    has_aged = pending_bytes_ < kFlushRawBytes;
    if (Result<void> written = write_next_batch(RecordingFile::Room::kWithinQuota); !written) {
      drop_oldest_beyond(kMaxPendingBytes);
      return written;
    }
  }
  const uint64_t since_ns = now.boot_ns - std::min(now.boot_ns, committed_boot_ns_);
  const bool must_commit = everything || since_ns >= kCommitIntervalNs || (has_written && file_.commits_each_flush());
  if (file_.is_dirty() && must_commit) {
    committed_boot_ns_ = now.boot_ns;
    return file_.commit(now);
  }
  // In bulk whole chunks follow one another within milliseconds: a piece would be written twice for nothing.
  return has_aged ? file_.save(now) : Result<void>();
}

bool RecordingWriter::is_due(uint64_t now_boot_ns) const {
  if (has_losses() || pending_bytes_ >= kFlushRawBytes) return true;
  if (pending_.empty()) return false;
  const uint64_t oldest = pending_.front().event.boot_ns();
  return now_boot_ns >= oldest && now_boot_ns - oldest >= kMaxBatchAgeNs;
}

Result<void> RecordingWriter::flush_all(const ClockAnchor& now) {
  if (Result<void> open = check_open(); !open) return open;
  note_clocks(now);
  release(kForever);
  return write_due(now, true);
}

Result<void> RecordingWriter::write_next_batch(RecordingFile::Room room) {
  if (Result<void> has_room = file_.make_room(now_, room); !has_room) return has_room;
  Events batch = losses(losses_boot_ns());
  forget_losses(batch);
  size_t raw_bytes = 0;
  size_t taken = 0;
  // kMaxEventBytes on top of the target stays below kMaxRawBytes.
  while (taken < pending_.size() && raw_bytes < kFlushRawBytes) {
    batch.push_back(std::move(pending_[taken].event));
    raw_bytes += pending_[taken].bytes;
    ++taken;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken));
  pending_bytes_ -= raw_bytes;
  const KernelPosition after = note_on_record(batch);
  return file_.append(std::move(batch), after, now_);
}

KernelPosition RecordingWriter::note_on_record(const Events& events) {
  for (const Event& event : events) {
    if (event.kernel_seq() != 0) {
      if (!on_record_.contains(event.kernel_seq())) on_record_.insert(event.kernel_seq());
      ++stored_on_record_;
    }
    if (event.kind_case() != Event::kGap || event.gap().count() == 0) continue;
    on_record_.insert({event.gap().from_seq(), event.gap().to_seq()});
  }
  const std::vector<SequenceRange> first = on_record_.lowest(1);
  const uint64_t settled = first.empty() || first[0].from != 1 ? 0 : first[0].to;
  return {.settled = settled, .stored = stored_on_record_};
}

bool RecordingWriter::has_losses() const {
  return !lost_.empty() || lost_output_bytes_ != 0 || lost_other_events_ != 0;
}

// What was dropped came before everything that still waits.
uint64_t RecordingWriter::losses_boot_ns() const {
  const auto next = std::ranges::find_if(pending_, [](const Pending& waiting) { return !waiting.event.late(); });
  return next == pending_.end() ? last_boot_ns_ : next->event.boot_ns();
}

Events RecordingWriter::losses(uint64_t boot_ns) const {
  Events gaps;
  for (const SequenceRange range : lost_.lowest(kMaxGapsPerChunk)) {
    gaps.push_back(gap_event(boot_ns, range, recording::v1::GAP_REASON_SPOOL_FULL));
  }
  if (lost_output_bytes_ != 0 || lost_other_events_ != 0) {
    Event& event = gaps.emplace_back();
    event.set_boot_ns(boot_ns);
    event.mutable_gap()->set_reason(recording::v1::GAP_REASON_SPOOL_FULL);
    event.mutable_gap()->set_output_bytes(lost_output_bytes_);
    event.mutable_gap()->set_other_events(lost_other_events_);
  }
  return gaps;
}

void RecordingWriter::forget_losses(const Events& recorded) {
  for (const Event& event : recorded) {
    const Gap& gap = event.gap();
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

Result<void> RecordingWriter::seal(recording::v1::EndReason reason, uint64_t kernel_issued, const ClockAnchor& now) {
  // The end is written once; whatever is known by now would stand behind it.
  if (file_.has_end() && !is_sealed_ && !file_.refusal()) return write_end({});
  if (Result<void> open = check_open(); !open) return open;
  note_clocks(now);
  release(kForever);
  const uint64_t boot_ns = std::max(now.boot_ns, last_boot_ns_);
  for (const SequenceRange range : ledger_.finish(kernel_issued)) {
    enqueue(gap_event(boot_ns, range, recording::v1::GAP_REASON_RING_FULL));
  }
  while (!pending_.empty()) {
    if (Result<void> written = write_next_batch(RecordingFile::Room::kWithinQuota); !written) {
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
  end.mutable_end()->set_has_exit(has_exit_);
  end.mutable_end()->set_exit_status(exit_.exit_status());
  end.mutable_end()->set_exit_signal(exit_.exit_signal());
  return write_end(std::move(end));
}

Result<void> RecordingWriter::write_end(Event end) {
  while (has_losses()) {
    if (Result<void> written = write_next_batch(RecordingFile::Room::kBeyondQuota); !written) return written;
  }
  const KernelPosition position = note_on_record({});
  if (Result<void> ended = file_.finish(std::move(end), position, now_); !ended) return ended;
  is_sealed_ = true;
  return {};
}

}  // namespace cairn::recorder
