#include "agent/upload/recording_upload.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

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
  if (!came_to) reader_.reset();
  co_return came_to;
}

awaitable<Result<UploadStep>> RecordingUpload::begin() {
  auth::v1::Request request;
  request.mutable_open_upload()->set_session_id(session_id_);
  const Result<auth::v1::Response> response = co_await auth_->call(std::move(request), call_limit_);
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
  auto survey = [reader = std::move(*reader)] { return reader->survey(); };
  const Result<SpoolSurvey> here = co_await disk_->run(std::move(survey));
  if (!here) co_return fail(here);
  if (!here->is_sealed() || here->bytes != stand.durable_bytes())
    co_return fail(Errc::kCorrupt, fmt::format("{} differs from the complete recording that auth has", path_.string()));
  co_return UploadStep::kAcknowledged;
}

awaitable<Result<UploadStep>> RecordingUpload::send_next() {
  auto read = [reader = reader_.get()] { return reader->next(); };
  Result<std::optional<SpooledChunk>> found = co_await disk_->run(std::move(read));
  if (!found) co_return fail(found);
  std::optional<SpooledChunk>& chunk = *found;
  if (!chunk) co_return UploadStep::kNothingNew;
  const recorder::ChunkHeader header = chunk->header;

  auth::v1::Request request;
  request.mutable_upload_chunk()->set_session_id(session_id_);
  request.mutable_upload_chunk()->set_number(header.number);
  request.mutable_upload_chunk()->set_chunk(std::move(chunk->bytes));
  const Result<auth::v1::Response> response = co_await auth_->call(std::move(request), call_limit_);
  if (!response) co_return fail(response, fmt::format("send chunk {}", header.number));
  if (!response->has_upload_chunk()) co_return unexpected_answer(*response);
  co_return settle(response->upload_chunk(), header);
}

Result<UploadStep> RecordingUpload::settle(const auth::v1::UploadChunkResponse& answer,
                                           const recorder::ChunkHeader& sent) {
  if (answer.durable_chunks() <= sent.number) {
    return fail(Errc::kInternal, fmt::format("auth acknowledged {} chunks after it was sent chunk {}",
                                             answer.durable_chunks(), sent.number));
  }
  if (sent.is_final && answer.complete()) return UploadStep::kAcknowledged;
  // Auth has more than was sent: it stored chunks whose acknowledgement was lost. Ask where it stands.
  if (answer.durable_chunks() != sent.number + 1) reader_.reset();
  return UploadStep::kSent;
}

}  // namespace cairn::agent
