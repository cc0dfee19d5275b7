#include "auth/recordings/derivations.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::auth {
namespace {

// A second one, so that a recording that is made to take long does not keep the others waiting.
constexpr size_t kThreads = 2;
constexpr size_t kMaxFailed = 4096;
// What went wrong may have been a full disk.
constexpr std::chrono::minutes kRetry{1};

}  // namespace

Derivations::Derivations(recorder::DerivedCache cache, ChunkStore* chunks, Recordings* recordings, Log log)
    : cache_(std::move(cache)), chunks_(chunks), recordings_(recordings), log_(std::move(log)) {
  for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { work(); });
}

Derivations::~Derivations() {
  {
    const std::scoped_lock lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Derivations::grown(const std::string& session_id) {
  {
    const std::scoped_lock lock(mutex_);
    if (!queued_.insert(session_id).second) return;
    queue_.push_back(session_id);
  }
  changed_.notify_all();
}

Result<recorder::DeriveInput> Derivations::input_of(const std::string& session_id) {
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state) return fail(state);
  Result<UniqueFd> file = chunks_->open_for_reading(session_id);
  if (!file) return fail(file);
  recorder::DeriveInput input{.recording = std::move(*file),
                              .session = uuid_bytes(session_id),
                              .chunks = state->chunks,
                              .keys = nullptr,
                              .wants_open_chunk = false,
                              .pieces_of = state->chunks,
                              .pieces = {}};
  Result<std::string> secret = recordings_->secret(session_id);
  if (!secret && secret.error().code == make_error_code(Errc::kDenied))
    return fail(Errc::kDenied, "auth is not among those who can read it");
  if (!secret && secret.error().code != make_error_code(Errc::kNotFound)) return fail(secret);
  if (secret) input.keys = std::make_shared<const recorder::RecordingKeys>(recorder::Secret(std::move(*secret)));
  return input;
}

Result<recorder::Derived> Derivations::wait_for(const std::string& session_id, const recorder::DeriveInput& input,
                                                Deadline deadline) {
  uint64_t seen = 0;
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      seen = done_;
    }
    Result<recorder::Derived> derived = cache_.look(session_id, input);
    if (derived || derived.error().code != make_error_code(Errc::kNotFound)) return derived;
    std::unique_lock lock(mutex_);
    const auto failed = failed_.find(session_id);
    if (failed != failed_.end() && failed->second.chunks >= input.chunks &&
        std::chrono::steady_clock::now() - failed->second.when < kRetry)
      return fail(failed->second.error.code, failed->second.error.message);
    // Before those that nobody waits for.
    if (!busy_.contains(session_id)) {
      std::erase(queue_, session_id);
      queue_.push_front(session_id);
      queued_.insert(session_id);
      changed_.notify_all();
    }
    if (!changed_.wait_until(lock, deadline, [&] { return is_ending_ || done_ != seen; }) || is_ending_)
      return fail(Errc::kTimeout, "the recording is being read for the first time; ask again in a while");
  }
}

Result<recorder::Derived> Derivations::read(const std::string& session_id, bool wants_open_chunk, Deadline deadline) {
  Result<recorder::DeriveInput> input = input_of(session_id);
  if (!input) return fail(input);
  Result<recorder::Derived> derived = wait_for(session_id, *input, deadline);
  if (!derived || !wants_open_chunk) return derived;
  Result<StoredTail> tail = chunks_->tail(session_id);
  if (!tail) return fail(tail);
  input->wants_open_chunk = true;
  if (!tail->pieces.empty()) {
    input->pieces_of = tail->chunk;
    input->pieces = std::move(tail->pieces);
  }
  return derive(session_id, *input);
}

// Nothing is left of a recording that is deleted meanwhile.
Result<recorder::Derived> Derivations::derive(const std::string& session_id, const recorder::DeriveInput& input) {
  Result<recorder::Derived> derived = cache_.derive(session_id, input);
  const Result<RecordingState> state = chunks_->state(session_id);
  if (!state || state->chunks > 0) return derived;
  cache_.forget(session_id);
  return fail(Errc::kNotFound, "the recording has been deleted");
}

void Derivations::work() {
  for (;;) {
    std::string session_id;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] {
        return is_ending_ || std::ranges::any_of(queue_, [this](const std::string& id) { return !busy_.contains(id); });
      });
      if (is_ending_) return;
      const auto next = std::ranges::find_if(queue_, [this](const std::string& id) { return !busy_.contains(id); });
      session_id = *next;
      queue_.erase(next);
      queued_.erase(session_id);
      busy_.insert(session_id);
    }
    derive_now(session_id);
    {
      const std::scoped_lock lock(mutex_);
      busy_.erase(session_id);
      ++done_;
    }
    changed_.notify_all();
  }
}

void Derivations::derive_now(const std::string& session_id) {
  const Result<recorder::DeriveInput> input = input_of(session_id);
  if (!input) return;  // said to who asks; nobody else misses it
  const Result<recorder::Derived> derived = derive(session_id, *input);
  const std::scoped_lock lock(mutex_);
  failed_.erase(session_id);
  if (derived) return;
  log_.warn("recording.derive_failed", kv("session", session_id), kv_error(derived.error()));
  if (failed_.size() >= kMaxFailed) failed_.clear();
  failed_[session_id] = {.chunks = input->chunks, .when = std::chrono::steady_clock::now(), .error = derived.error()};
}

}  // namespace cairn::auth
