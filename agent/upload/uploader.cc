#include "agent/upload/uploader.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "recorder/recording_writer.h"
#include "recorder/tail_file.h"

namespace cairn::agent {
namespace {

bool is_damage(const Error& error) {
  return error.code == Errc::kCorrupt || error.code == Errc::kTruncated || error.code == Errc::kUnsupported;
}

}  // namespace

Uploader::Uploader(const asio::any_io_executor& executor, std::filesystem::path spool, AuthCaller* auth,
                   KernelSessions kernel, WorkPool* disk, const Clock* clock, UploadTimes times, UploadLimits limits,
                   Log log)
    : spool_(std::move(spool)),
      auth_(auth),
      kernel_(std::move(kernel)),
      disk_(disk),
      clock_(clock),
      times_(times),
      log_(std::move(log)),
      sweep_bell_(executor),
      settle_bell_(executor),
      send_bell_(executor),
      auth_backoff_(times.first_retry, times.last_retry),
      pace_(limits.bytes_per_s) {
  Result<SpoolWatch> watch = SpoolWatch::open(executor, spool_);
  if (watch) {
    watch_ = std::move(*watch);
  } else {
    log_.warn("spool.unwatched", kv("sweep_ms", times_.sweep.count()), kv_error(watch.error()));
  }
}

awaitable<void> Uploader::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (keep() && settle_ended() && send() && watch());
}

// ---- notices

awaitable<void> Uploader::watch() {
  while (watch_) {
    const Result<SpoolChanges> changes = co_await watch_->changes();
    if (changes) {
      notice(*changes);
      continue;
    }
    co_await end_if_cancelled();
    log_.warn("spool.unwatched", kv("sweep_ms", times_.sweep.count()), kv_error(changes.error()));
    watch_.reset();
  }
}

void Uploader::notice(const SpoolChanges& changes) {
  for (const std::string& id : changes.changed) {
    const auto found = recordings_.find(id);
    if (found == recordings_.end()) continue;
    found->second->has_news = true;
    // Closed by its worker, most likely: it can be deleted.
    if (found->second->is_acknowledged) sweep_bell_.ring();
  }
  if (!changes.changed.empty()) send_bell_.ring();
  if (changes.is_folder_changed) sweep_bell_.ring();
}

// ---- keeping the table

awaitable<void> Uploader::keep() {
  for (;;) {
    co_await sweep();
    co_await sweep_bell_.wait_until(after(times_.sweep));
  }
}

awaitable<void> Uploader::sweep() {
  auto list = [folder = spool_] { return list_spool(folder); };
  const Result<std::vector<SpooledRecording>> found = co_await disk_->run(std::move(list));
  if (!found) {
    if (!std::exchange(is_sweep_failing_, true)) log_.error("spool.unreadable", kv_error(found.error()));
    co_return;
  }
  is_sweep_failing_ = false;

  SpoolStatus status;
  std::set<std::string> present;
  for (const SpooledRecording& recording : *found) {
    status.bytes += recording.bytes;
    if (recording.is_live) status.live_sessions++;
    present.insert(recording.id);
    take_in(recording);
  }
  status_ = status;
  std::erase_if(recordings_, [&present](const auto& entry) { return !present.contains(entry.first); });
  co_await date_new_ones();
  send_bell_.ring();
  settle_bell_.ring();
}

void Uploader::take_in(const SpooledRecording& found) {
  std::shared_ptr<Recording>& recording = recordings_[found.id];
  if (!recording) {
    recording = std::make_shared<Recording>();
    recording->id = found.id;
    recording->path = recording_path(spool_, found.id);
    recording->upload = std::make_unique<RecordingUpload>(recording->path, auth_, disk_, times_.call_limit);
    // A file that cannot be followed (a limit of inotify(7)) is noticed by the sweep.
    if (watch_ && found.is_live) std::ignore = watch_->follow(recording->path, found.id);
  }
  if (recording->bytes != found.bytes || recording->is_live != found.is_live) recording->has_news = true;
  // Not at once: the tail comes later than the recording, and another file takes its place now and then.
  if (watch_ && found.is_live) std::ignore = watch_->follow(recorder::TailFile::path_for(recording->path), found.id);
  recording->bytes = found.bytes;
  recording->is_live = found.is_live;
}

// By which the backlog is ordered; the sender waits for it.
awaitable<void> Uploader::date_new_ones() {
  std::vector<std::shared_ptr<Recording>> fresh;
  for (const auto& [id, recording] : recordings_) {
    if (recording->begun_wall_ns == 0) fresh.push_back(recording);
  }
  if (fresh.empty()) co_return;
  std::vector<std::filesystem::path> paths;
  for (const std::shared_ptr<Recording>& recording : fresh) paths.push_back(recording->path);
  auto read = [paths = std::move(paths)] {
    std::vector<int64_t> begun;
    for (const std::filesystem::path& path : paths) begun.push_back(begun_wall_ns(path));
    return begun;
  };
  const std::vector<int64_t> begun = co_await disk_->run(std::move(read));
  for (size_t i = 0; i < fresh.size(); ++i) fresh[i]->begun_wall_ns = begun[i];
}

// Apart from the sweep, since closing a large recording takes its time and new ones must not wait for it.
awaitable<void> Uploader::settle_ended() {
  for (;;) {
    std::vector<std::shared_ptr<Recording>> ended;
    for (const auto& [id, recording] : recordings_) {
      if (!recording->is_live) ended.push_back(recording);
    }
    for (const std::shared_ptr<Recording>& recording : ended) co_await settle(recording);
    co_await settle_bell_.wait_until(next_settlement());
  }
}

// When the first of those that could not be settled is tried again; a sweep's pause when there is none.
Uploader::Instant Uploader::next_settlement() const {
  Instant next = std::chrono::steady_clock::now() + times_.sweep;
  for (const auto& [id, recording] : recordings_) {
    if (!recording->is_live && !recording->is_sealed) next = std::min(next, recording->settle_after);
  }
  return next;
}

// Brings a recording whose worker is gone one step on: sealed, acknowledged, deleted.
awaitable<void> Uploader::settle(std::shared_ptr<Recording> recording) {
  if (recording->is_acknowledged) {
    co_await remove(recording);
    co_return;
  }
  if (recording->is_sealed || std::chrono::steady_clock::now() < recording->settle_after) co_return;
  auto look = [path = recording->path] { return is_sealed(path); };
  const Result<bool> sealed = co_await disk_->run(std::move(look));
  if (sealed && *sealed) {
    recording->is_sealed = true;
    recording->has_news = true;
    send_bell_.ring();
    co_return;
  }
  co_await close_abandoned(recording);
}

awaitable<void> Uploader::close_abandoned(std::shared_ptr<Recording> recording) {
  auto read_key = [path = recording->path, boot_id = kernel_.boot_id] { return kernel_key_of(path, boot_id); };
  const std::optional<uint64_t> session_key = co_await disk_->run(std::move(read_key));
  std::optional<uint64_t> issued;
  if (session_key && kernel_.issued) {
    const Result<std::optional<uint64_t>> count = kernel_.issued(*session_key);
    if (count) issued = *count;
    if (!count) log_.warn("recording.uncounted", kv("session", recording->id), kv_error(count.error()));
  }
  auto close = [path = recording->path, boot_id = kernel_.boot_id, issued,
                now = recorder::ClockAnchor(clock_->boot_ns(), clock_->mono_ns(), clock_->wall_ns())] {
    return recorder::close_interrupted(path, now, boot_id, issued);
  };
  const Result<void> closed = co_await disk_->run(std::move(close));
  if (closed) {
    log_.warn("recording.interrupted", kv("session", recording->id),
              kv("kernel_issued", issued ? std::to_string(*issued) : "unknown"));
    // After the file is closed: a supervisor that dies between the two finds the count again.
    forget_in_kernel(*recording, session_key);
    recording->is_sealed = true;
    recording->has_news = true;
    send_bell_.ring();
    // A sweep of meanwhile took the closer's lock for a worker's.
    sweep_bell_.ring();
    co_return;
  }
  if (is_damage(closed.error())) {
    co_await set_aside(recording, closed.error());
    co_return;
  }
  recording->settle_after = std::chrono::steady_clock::now() + times_.refused_retry;
  // Locked: by a worker after all, or by the sweep, which is looking whether it is.
  if (closed.error().code == Errc::kDenied || closed.error().code == Errc::kNotFound) co_return;
  log_.error("recording.unclosed", kv("session", recording->id), kv("retry_ms", times_.refused_retry.count()),
             kv_error(closed.error()));
}

awaitable<void> Uploader::remove(std::shared_ptr<Recording> recording) {
  // Whoever closed an interrupted recording may have died before the kernel was told.
  auto read_key = [path = recording->path, boot_id = kernel_.boot_id] { return kernel_key_of(path, boot_id); };
  const std::optional<uint64_t> session_key = co_await disk_->run(std::move(read_key));
  forget_in_kernel(*recording, session_key);
  auto unlink = [path = recording->path] { return delete_recording(path); };
  const Result<void> deleted = co_await disk_->run(std::move(unlink));
  if (!deleted) {
    log_.error("spool.undeleted", kv("session", recording->id), kv_error(deleted.error()));
    co_return;
  }
  log_.info("recording.uploaded", kv("session", recording->id), kv("bytes", recording->bytes));
  recordings_.erase(recording->id);
}

awaitable<void> Uploader::set_aside(std::shared_ptr<Recording> recording, Error why) {
  auto rename = [path = recording->path] { return set_aside_corrupt(path); };
  const Result<void> renamed = co_await disk_->run(std::move(rename));
  if (!renamed) {
    recording->send_after = recording->settle_after = std::chrono::steady_clock::now() + times_.refused_retry;
    log_.error("recording.corrupt", kv("session", recording->id), kv("reason", why.message), kv_error(renamed.error()));
    co_return;
  }
  log_.error("recording.corrupt", kv("session", recording->id), kv("kept_as", recording->path.string() + ".corrupt"),
             kv_error(why));
  recordings_.erase(recording->id);
}

void Uploader::forget_in_kernel(const Recording& recording, std::optional<uint64_t> session_key) {
  if (!session_key || !kernel_.forget) return;
  const Result<void> forgotten = kernel_.forget(*session_key);
  if (!forgotten && forgotten.error().code != Errc::kNotFound)
    log_.warn("capture.unforgotten", kv("session", recording.id), kv_error(forgotten.error()));
}

// ---- sending

awaitable<void> Uploader::send() {
  for (;;) {
    // Chosen when it may go: a session that begins meanwhile is not behind what was chosen before.
    while (std::chrono::steady_clock::now() < pace_.free_at()) {
      co_await end_if_cancelled();
      co_await sleep_for(
          std::chrono::ceil<std::chrono::milliseconds>(pace_.free_at() - std::chrono::steady_clock::now()));
    }
    std::shared_ptr<Recording> recording = next_to_send();
    if (recording) {
      co_await send_one(std::move(recording));
      continue;
    }
    co_await send_bell_.wait_until(next_attempt());
  }
}

// When the first of those that wait after a refusal is due; a sweep's pause when there is none.
Uploader::Instant Uploader::next_attempt() const {
  Instant next = std::chrono::steady_clock::now() + times_.sweep;
  for (const auto& [id, recording] : recordings_) {
    if (recording->has_news && !recording->is_acknowledged) next = std::min(next, recording->send_after);
  }
  return next;
}

// Live ones first, since someone may be watching, each in its turn. Of the others the oldest until it is through, so
// that what a node brings after a week without auth is whole from its beginning on.
bool Uploader::is_before(const Recording& one, const Recording& other) {
  if (one.is_live != other.is_live) return one.is_live;
  if (one.is_live) return one.turn < other.turn;
  return std::tie(one.begun_wall_ns, one.id) < std::tie(other.begun_wall_ns, other.id);
}

std::shared_ptr<Uploader::Recording> Uploader::next_to_send() {
  const Instant now = std::chrono::steady_clock::now();
  std::shared_ptr<Recording> next;
  for (const auto& [id, recording] : recordings_) {
    const bool is_dated = recording->begun_wall_ns != 0;
    if (!is_dated || !recording->has_news || recording->is_acknowledged || now < recording->send_after) continue;
    if (!next || is_before(*recording, *next)) next = recording;
  }
  return next;
}

awaitable<void> Uploader::send_one(std::shared_ptr<Recording> recording) {
  recording->turn = ++turns_;
  recording->has_news = false;  // before the file is read: what grows meanwhile is news again
  const bool was_sealed = recording->is_sealed;
  const Result<UploadStep> step = co_await recording->upload->step();
  pace_.spend(recording->upload->take_sent_bytes(), std::chrono::steady_clock::now());
  if (!step && !auth_->is_connected()) {
    recording->has_news = true;
    co_await wait_for_auth(step.error());
    co_return;
  }
  if (!step) {
    // Before the worker is gone a chunk may be half written; afterwards it is decided whether the file is whole.
    if (is_damage(step.error()) && was_sealed) co_await set_aside(recording, step.error());
    if (!is_damage(step.error())) note_refusal(*recording, step.error());
    co_return;
  }
  if (std::exchange(is_auth_lost_, false)) log_.info("upload.resumed");
  auth_backoff_.reset();
  if (*step == UploadStep::kSent) recording->has_news = true;
  if (*step != UploadStep::kAcknowledged) co_return;
  recording->is_acknowledged = true;
  sweep_bell_.ring();
}

void Uploader::note_refusal(Recording& recording, const Error& error) {
  recording.has_news = true;
  recording.send_after = std::chrono::steady_clock::now() + times_.refused_retry;
  log_.warn("upload.refused", kv("session", recording.id), kv("retry_ms", times_.refused_retry.count()),
            kv_error(error));
}

awaitable<void> Uploader::wait_for_auth(Error why) {
  co_await end_if_cancelled();
  for (const auto& [id, recording] : recordings_) recording->upload->restart();
  const std::chrono::milliseconds wait = auth_backoff_.next();
  if (!std::exchange(is_auth_lost_, true)) log_.warn("upload.waiting", kv("retry_ms", wait.count()), kv_error(why));
  co_await sleep_for(wait);
}

}  // namespace cairn::agent
