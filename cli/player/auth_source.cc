#include "cli/player/auth_source.h"

#include <algorithm>
#include <thread>

#include "base/async.h"

namespace cairn::cli {
namespace {

constexpr std::chrono::milliseconds kLongestWait{30'000};  // of ReadRecording
constexpr int kAttempts = 5;

bool is_worth_another_try(const Error& error) {
  return error.code == make_error_code(Errc::kUnavailable) || error.code == make_error_code(Errc::kClosed) ||
         error.code == make_error_code(Errc::kTimeout);
}

}  // namespace

auth::v1::Request AuthSource::read_request() const {
  auth::v1::Request request;
  request.mutable_read_recording()->set_session_id(session_);
  request.mutable_read_recording()->set_purpose(reading_.purpose);
  request.mutable_read_recording()->set_form(reading_.form);
  return request;
}

Result<std::unique_ptr<AuthSource>> AuthSource::open(Open open_auth, std::string session, Reading reading,
                                                     recorder::Unlock unlock) {
  std::unique_ptr<AuthSource> source(
      new AuthSource(std::move(open_auth), std::move(session), std::move(reading), std::move(unlock)));
  auth::v1::Request request = source->read_request();
  request.mutable_read_recording()->set_limit(1);
  const Result<auth::v1::Response> first =
      source->ask(request, auth::v1::Response::kReadRecording, std::chrono::milliseconds(0));
  if (!first) return fail(first);
  source->session_ = first->read_recording().session_id();
  source->layout_ = first->read_recording().layout();
  source->secret_ = first->read_recording().secret();
  source->later_keys_ = first->read_recording().keys();
  return source;
}

Result<std::shared_ptr<const recorder::RecordingKeys>> AuthSource::unlock(const recorder::Opening& opening) {
  if (secret_.size() != recorder::kSecretBytes) return unlock_either(unlock_, opening, later_keys_);
  return std::make_shared<const recorder::RecordingKeys>(recorder::Secret(secret_));
}

Result<RecordingSource::Piece> AuthSource::read(const ReadPlace& from, size_t limit_bytes,
                                                std::chrono::milliseconds wait) {
  auth::v1::Request request = read_request();
  auth::v1::ReadRecordingRequest& wanted = *request.mutable_read_recording();
  wanted.set_offset(from.offset);
  wanted.set_layout(layout_);
  wanted.set_limit(static_cast<uint32_t>(std::min(limit_bytes, kMaxPieceBytes)));
  wanted.set_tail_chunk(from.tail_chunk);
  wanted.set_tail_offset(from.tail_bytes);
  wanted.set_wait_ms(static_cast<uint32_t>(std::min(wait, kLongestWait).count()));
  Result<auth::v1::Response> response = ask_again(request, auth::v1::Response::kReadRecording, wait);
  if (!response) return fail(response);
  auth::v1::ReadRecordingResponse& read = *response->mutable_read_recording();
  layout_ = read.layout();
  if (!read.secret().empty()) secret_ = read.secret();
  if (!read.keys().empty()) later_keys_ = read.keys();
  return Piece{.bytes = std::move(*read.mutable_data()),
               .is_live = !read.complete(),
               .tail_chunk = read.tail_chunk(),
               .tail = std::move(*read.mutable_tail())};
}

// Auth may have to derive first what it answers from; it says so.
Result<std::optional<recorder::Moment>> AuthSource::find(uint64_t at_ns, recorder::Step step) {
  auth::v1::Request request;
  auth::v1::FindMomentRequest& wanted = *request.mutable_find_moment();
  wanted.set_session_id(session_);
  wanted.set_at_ns(at_ns);
  wanted.set_layout(layout_);
  if (step == recorder::Step::kNextCommand) wanted.set_step(auth::v1::FindMomentRequest::STEP_NEXT_COMMAND);
  if (step == recorder::Step::kPreviousCommand) wanted.set_step(auth::v1::FindMomentRequest::STEP_PREVIOUS_COMMAND);
  Result<auth::v1::Response> response =
      ask_again(request, auth::v1::Response::kFindMoment, std::chrono::milliseconds(0));
  if (!response) return fail(response);
  auth::v1::FindMomentResponse& found = *response->mutable_find_moment();
  if (!found.found()) return std::optional<recorder::Moment>();
  return std::optional(recorder::Moment{.at_ns = found.at_ns(),
                                        .chunk = found.chunk(),
                                        .offset = found.offset(),
                                        .keyframe = std::move(*found.mutable_keyframe())});
}

Result<auth::v1::Response> AuthSource::ask_again(const auth::v1::Request& request,
                                                 auth::v1::Response::KindCase expected,
                                                 std::chrono::milliseconds wait) {
  Backoff backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(1000));
  for (int attempt = 1;; attempt++) {
    Result<auth::v1::Response> response = ask(request, expected, wait);
    if (response) return response;
    auth_.reset();
    if (attempt == kAttempts || !is_worth_another_try(response.error())) return response;
    std::this_thread::sleep_for(backoff.next());
  }
}

Result<auth::v1::Response> AuthSource::ask(const auth::v1::Request& request, auth::v1::Response::KindCase expected,
                                           std::chrono::milliseconds wait) {
  if (!auth_) {
    Result<AuthSession> fresh = open_auth_();
    if (!fresh) return fail(fresh);
    auth_ = std::move(*fresh);
  }
  return auth_->call(request, expected, AuthSession::kCallLimit + wait);
}

}  // namespace cairn::cli
