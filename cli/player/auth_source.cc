#include "cli/player/auth_source.h"

#include <algorithm>
#include <thread>

#include "base/async.h"

namespace cairn::cli {
namespace {

constexpr uint32_t kPieceBytes = 1 << 20;                  // what ReadRecording gives at most
constexpr std::chrono::milliseconds kLongestWait{30'000};  // likewise
constexpr int kAttempts = 5;

bool is_worth_another_try(const Error& error) {
  return error.code == make_error_code(Errc::kUnavailable) || error.code == make_error_code(Errc::kClosed) ||
         error.code == make_error_code(Errc::kTimeout);
}

}  // namespace

Result<std::unique_ptr<AuthSource>> AuthSource::open(Open open_auth, std::string session, recorder::Unlock unlock) {
  std::unique_ptr<AuthSource> source(new AuthSource(std::move(open_auth), std::move(session), std::move(unlock)));
  const Result<auth::v1::ReadRecordingResponse> first = source->ask(0, 1, std::chrono::milliseconds(0));
  if (!first) return fail(first);
  source->session_ = first->session_id();
  return source;
}

RecordingSource::Piece AuthSource::piece_of(auth::v1::ReadRecordingResponse response) {
  if (!response.secret().empty()) secret_ = response.secret();
  if (response.tail_chunk() != tail_chunk_) tail_bytes_ = 0;
  tail_chunk_ = response.tail_chunk();
  tail_bytes_ += response.tail().size();
  return {.bytes = std::move(*response.mutable_data()),
          .is_live = !response.complete(),
          .tail_chunk = tail_chunk_,
          .tail = std::move(*response.mutable_tail())};
}

Result<std::shared_ptr<const recorder::RecordingKeys>> AuthSource::unlock(const recorder::Opening& opening) {
  if (secret_.size() != recorder::kSecretBytes) return unlock_(opening);
  return std::make_shared<const recorder::RecordingKeys>(recorder::Secret(secret_));
}

Result<RecordingSource::Piece> AuthSource::read(uint64_t offset, std::chrono::milliseconds wait) {
  if (offset == 0) tail_bytes_ = 0;
  Backoff backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(1000));
  for (int attempt = 1;; attempt++) {
    Result<auth::v1::ReadRecordingResponse> response = ask(offset, kPieceBytes, wait);
    if (response) return piece_of(std::move(*response));
    auth_.reset();
    if (attempt == kAttempts || !is_worth_another_try(response.error())) return fail(response);
    std::this_thread::sleep_for(backoff.next());
  }
}

Result<auth::v1::ReadRecordingResponse> AuthSource::ask(uint64_t offset, uint32_t limit,
                                                        std::chrono::milliseconds wait) {
  if (!auth_) {
    Result<AuthSession> fresh = open_auth_();
    if (!fresh) return fail(fresh);
    auth_ = std::move(*fresh);
  }
  auth::v1::Request request;
  request.mutable_read_recording()->set_session_id(session_);
  request.mutable_read_recording()->set_offset(offset);
  request.mutable_read_recording()->set_limit(limit);
  request.mutable_read_recording()->set_tail_chunk(tail_chunk_);
  request.mutable_read_recording()->set_tail_offset(tail_bytes_);
  request.mutable_read_recording()->set_wait_ms(static_cast<uint32_t>(std::min(wait, kLongestWait).count()));
  Result<auth::v1::Response> response =
      auth_->call(std::move(request), auth::v1::Response::kReadRecording, AuthSession::kCallLimit + wait);
  if (!response) return fail(response);
  return std::move(*response->mutable_read_recording());
}

}  // namespace cairn::cli
