#include "agent/upload/recording_upload.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "recorder/proof/checkpoint.h"
#include "recorder/proof/note.h"
#include "recorder/recording_writer.h"

namespace cairn::agent {
namespace {

// A reader that stands where auth does.
Result<std::unique_ptr<SpoolReader>> reader_at(const std::filesystem::path& path,
                                               const auth::v1::OpenUploadResponse& stand) {
  Result<SpoolReader> reader = SpoolReader::open(path);
  if (!reader) return fail(reader);
  const Result<void> found = reader->seek(stand.durable_chunks());
  if (!found && found.error().code != Errc::kTruncated) return fail(found);
  if (!found || reader->offset() != stand.durable_bytes()) {
    return fail(Errc::kCorrupt, fmt::format("{} differs from what auth has stored of it: {} chunks of {} bytes; here "
                                            "are {} chunks of {} bytes",
                                            path.string(), stand.durable_chunks(), stand.durable_bytes(),
                                            reader->number(), reader->offset()));
  }
  return std::make_unique<SpoolReader>(std::move(*reader));
}

struct Tail {
  recorder::TailContents contents;
  bool is_live = false;  // the worker holds the recording
};

uint64_t chunks_signed(const std::string& checkpoint) {
  const Result<recorder::SignedNote> note = recorder::parse_note(checkpoint);
  const Result<recorder::Checkpoint> said = note ? recorder::parse_checkpoint(note->text) : fail(note);
  return said ? said->size : 0;
}

Failure unexpected_answer(const auth::v1::Response& response) {
  return fail(Errc::kInternal,
              fmt::format("auth gave an answer of another kind ({})", static_cast<int>(response.kind_case())));
}

}  // namespace

RecordingUpload::RecordingUpload(std::filesystem::path path, AuthCaller* auth, WorkPool* disk,
                                 std::chrono::milliseconds call_limit)
    : path_(std::move(path)), session_id_(path_.stem().string()), auth_(auth), disk_(disk), call_limit_(call_limit) {}

awaitable<Result<UploadStep>> RecordingUpload::step() {
  Result<UploadStep> came_to = reader_ ? co_await send_next() : co_await begin();
  if (!came_to) restart();
  co_return came_to;
}

void RecordingUpload::restart() {
  reader_.reset();
  has_sent_final_ = false;
  tail_bytes_ = 0;
  sent_checkpoint_.clear();
}

awaitable<Result<auth::v1::Response>> RecordingUpload::call(auth::v1::Request request) {
  sent_bytes_ += request.ByteSizeLong();
  co_return co_await auth_->call(std::move(request), call_limit_);
}

awaitable<Result<UploadStep>> RecordingUpload::begin() {
  auth::v1::Request request;
  request.mutable_open_upload()->set_session_id(session_id_);
  const Result<auth::v1::Response> response = co_await call(std::move(request));
  if (!response) co_return fail(response, "open the upload");
  if (!response->has_open_upload()) co_return unexpected_answer(*response);
  const auth::v1::OpenUploadResponse& stand = response->open_upload();

  auto open = [path = path_, stand] { return reader_at(path, stand); };
  Result<std::unique_ptr<SpoolReader>> reader = co_await disk_->run(std::move(open));
  if (!reader) co_return fail(reader);
  if (!stand.complete()) {
    reader_ = std::move(*reader);
    co_return co_await send_next();
  }
  auto survey = [reader = reader->get()] { return reader->survey(); };
  const Result<SpoolSurvey> here = co_await disk_->run(std::move(survey));
  if (!here) co_return fail(here);
  if (!here->is_sealed() || here->bytes != stand.durable_bytes())
    co_return fail(Errc::kCorrupt, fmt::format("{} differs from the complete recording that auth has", path_.string()));
  reader_ = std::move(*reader);
  has_sent_final_ = true;
  co_return co_await send_tail();
}

awaitable<Result<UploadStep>> RecordingUpload::send_next() {
  if (has_sent_final_) co_return co_await send_tail();
  auto read = [reader = reader_.get()] { return reader->next(); };
  Result<std::optional<SpooledChunk>> found = co_await disk_->run(std::move(read));
  if (!found) co_return fail(found);
  std::optional<SpooledChunk>& chunk = *found;
  if (!chunk) co_return co_await send_tail();
  const recorder::ChunkHeader header = chunk->header;

  auth::v1::Request request;
  request.mutable_upload_chunk()->set_session_id(session_id_);
  request.mutable_upload_chunk()->set_number(header.number);
  request.mutable_upload_chunk()->set_chunk(std::move(chunk->bytes));
  const Result<auth::v1::Response> response = co_await call(std::move(request));
  if (!response) co_return fail(response, fmt::format("send chunk {}", header.number));
  if (!response->has_upload_chunk()) co_return unexpected_answer(*response);
  co_return settle(response->upload_chunk(), header);
}

// What is new of the open chunk, and the session's signature of all so far. After the final chunk: the last signature,
// for which the worker has to have ended.
awaitable<Result<UploadStep>> RecordingUpload::send_tail() {
  auto read = [reader = reader_.get(), path = path_, is_last = has_sent_final_]() -> Result<Tail> {
    // Asked first: a worker that ends in between has written what is then read.
    const Result<bool> is_live = is_last ? recorder::is_locked(path) : Result<bool>(true);
    if (!is_live) return fail(is_live);
    Result<recorder::TailContents> contents = reader->tail();
    if (!contents) return fail(contents);
    return Tail{.contents = std::move(*contents), .is_live = *is_live};
  };
  Result<Tail> tail = co_await disk_->run(std::move(read));
  if (!tail) co_return fail(tail);
  const UploadStep otherwise = has_sent_final_ && !tail->is_live ? UploadStep::kAcknowledged : UploadStep::kNothingNew;
  if (has_sent_final_ && tail->is_live) co_return otherwise;
  recorder::TailContents& contents = tail->contents;
  if (tail_chunk_ != reader_->number()) tail_bytes_ = 0;
  tail_chunk_ = reader_->number();
  // Of chunks that are not at auth yet it would be refused.
  if (chunks_signed(contents.checkpoint) > tail_chunk_) contents.checkpoint = sent_checkpoint_;
  const bool has_pieces = contents.pieces.size() > tail_bytes_;
  if (!has_pieces && contents.checkpoint == sent_checkpoint_) co_return otherwise;

  auth::v1::Request request;
  auth::v1::UploadTailRequest& part = *request.mutable_upload_tail();
  part.set_session_id(session_id_);
  part.set_chunk(tail_chunk_);
  part.set_offset(std::min<uint64_t>(tail_bytes_, contents.pieces.size()));
  if (tail_bytes_ == 0) part.set_start(contents.start);
  part.set_pieces(contents.pieces.substr(part.offset()));
  part.set_checkpoint(contents.checkpoint);
  const Result<auth::v1::Response> response = co_await call(std::move(request));
  if (!response) co_return fail(response, fmt::format("send the open chunk {}", tail_chunk_));
  if (!response->has_upload_tail()) co_return unexpected_answer(*response);
  const bool is_all = response->upload_tail().offset() == contents.pieces.size();
  if (is_all) sent_checkpoint_ = contents.checkpoint;
  tail_bytes_ = response->upload_tail().offset();
  co_return is_all ? otherwise : UploadStep::kSent;
}

Result<UploadStep> RecordingUpload::settle(const auth::v1::UploadChunkResponse& answer,
                                           const recorder::ChunkHeader& sent) {
  if (answer.durable_chunks() <= sent.number) {
    return fail(Errc::kInternal, fmt::format("auth acknowledged {} chunks after it was sent chunk {}",
                                             answer.durable_chunks(), sent.number));
  }
  if (sent.is_final() && answer.complete()) has_sent_final_ = true;
  // Auth has more than was sent: it stored chunks whose acknowledgement was lost. Ask where it stands.
  if (answer.durable_chunks() != sent.number + 1) restart();
  return UploadStep::kSent;
}

}  // namespace cairn::agent
