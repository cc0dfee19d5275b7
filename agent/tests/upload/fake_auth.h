#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "agent/upload/auth_caller.h"
#include "recorder/chunk.h"

namespace cairn::agent {

// Auth's side of an upload, in memory, with the accidents that a network and an operator can cause.
class FakeAuth final : public AuthCaller {
 public:
  struct Stored {
    std::string bytes;
    uint64_t chunks = 0;
    bool complete = false;
    std::string pieces = {};  // of the open chunk
    std::string checkpoint = {};
  };

  awaitable<Result<auth::v1::Response>> call(auth::v1::Request request, std::chrono::milliseconds) override {
    co_await asio::post(asio::use_awaitable);
    if (is_down) co_return lose("connection refused");
    is_connected_ = true;
    if (request.has_open_upload()) co_return open(request.open_upload());
    if (request.has_upload_chunk()) co_return store(request.upload_chunk());
    if (request.has_upload_tail()) co_return store(request.upload_tail());
    co_return fail(Errc::kInvalid, "not an upload");
  }
  bool is_connected() const override { return is_connected_; }

  std::map<std::string, Stored> stored;
  std::vector<std::pair<std::string, uint64_t>> received;  // session and chunk number, as they came
  bool is_down = false;
  int cut_before = -1;           // the connection breaks when this many more chunks have come, before it is stored …
  int cut_after = -1;            // … or after, so that the acknowledgement is lost
  std::set<std::string> denied;  // sessions
  std::set<std::string> unavailable;
  int refusals = 0;

 private:
  Failure lose(std::string why) {
    is_connected_ = false;
    return fail(Errc::kClosed, std::move(why));
  }

  Result<auth::v1::Response> open(const auth::v1::OpenUploadRequest& request) {
    if (denied.contains(request.session_id())) {
      refusals++;
      return fail(Errc::kDenied, "this session is of another node");
    }
    const Stored& session = stored[request.session_id()];
    auth::v1::Response response;
    response.mutable_open_upload()->set_durable_chunks(session.chunks);
    response.mutable_open_upload()->set_durable_bytes(session.bytes.size());
    response.mutable_open_upload()->set_complete(session.complete);
    return response;
  }

  Result<auth::v1::Response> store(const auth::v1::UploadChunkRequest& request) {
    if (unavailable.contains(request.session_id())) {
      refusals++;
      is_connected_ = false;
      return fail(Errc::kUnavailable, "the disk is full");
    }
    if (cut_before == 0) {
      cut_before = -1;
      return lose("cut before the chunk was stored");
    }
    if (cut_before > 0) cut_before--;
    received.emplace_back(request.session_id(), request.number());
    Stored& session = stored[request.session_id()];
    const Result<recorder::ChunkView> chunk = recorder::check_chunk(request.chunk());
    if (!chunk) return fail(chunk);
    if (request.number() > session.chunks) return fail(Errc::kInvalid, "a chunk is missing before this one");
    if (request.number() == session.chunks) {
      session.bytes += request.chunk();
      session.chunks++;
      session.complete = chunk->header.is_final();
      session.pieces.clear();
    }
    if (cut_after == 0) {
      cut_after = -1;
      return lose("cut before the acknowledgement");
    }
    if (cut_after > 0) cut_after--;
    auth::v1::Response response;
    response.mutable_upload_chunk()->set_durable_chunks(session.chunks);
    response.mutable_upload_chunk()->set_complete(session.complete);
    return response;
  }

  Result<auth::v1::Response> store(const auth::v1::UploadTailRequest& request) {
    Stored& session = stored[request.session_id()];
    if (request.chunk() == session.chunks && request.offset() == session.pieces.size()) {
      session.pieces += request.pieces();
      if (!request.checkpoint().empty()) session.checkpoint = request.checkpoint();
    }
    auth::v1::Response response;
    response.mutable_upload_tail()->set_offset(session.pieces.size());
    return response;
  }

  bool is_connected_ = false;
};

}  // namespace cairn::agent
