#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "agent/upload/auth_caller.h"
#include "agent/upload/spool_reader.h"
#include "base/async.h"
#include "base/result.h"
#include "base/work_pool.h"

namespace cairn::agent {

// What one step of an upload came to.
enum class UploadStep {
  kSent,          // auth has one more chunk, or more of the open one, for good
  kNothingNew,    // all that there is is at auth; more may come
  kAcknowledged,  // auth has the whole recording for good, the final chunk and the last signature included
};

// The way of one recording from its spool file to auth, one chunk per step, beginning where auth says it stands. Knows
// nothing of other recordings. One step at a time; thread: its executor, the disk is read on the pool.
class RecordingUpload {
 public:
  // `auth` and `disk` outlive it.
  RecordingUpload(std::filesystem::path path, AuthCaller* auth, WorkPool* disk, std::chrono::milliseconds call_limit);

  // Sends the next chunk. After any failure the next step asks auth anew where it stands.
  //   fails  kCorrupt: the file is not a recording of this session, or it disagrees with what auth has: sent chunks
  //          are missing from it. Auth's refusals and a lost connection, as AuthCaller::call. An errno of the disk.
  awaitable<Result<UploadStep>> step();

  // The next step asks auth where it stands.
  void restart();

  // What has been sent, in bytes of requests, since it was asked last.
  uint64_t take_sent_bytes() { return std::exchange(sent_bytes_, 0); }

 private:
  awaitable<Result<auth::v1::Response>> call(auth::v1::Request request);
  awaitable<Result<UploadStep>> begin();
  awaitable<Result<UploadStep>> send_next();
  awaitable<Result<UploadStep>> send_tail();
  Result<UploadStep> settle(const auth::v1::UploadChunkResponse& answer, const recorder::ChunkHeader& sent);

  std::filesystem::path path_;
  std::string session_id_;
  AuthCaller* auth_;
  WorkPool* disk_;
  std::chrono::milliseconds call_limit_;
  std::unique_ptr<SpoolReader> reader_;  // none: auth has to be asked first
  bool has_sent_final_ = false;
  uint64_t tail_chunk_ = 0;  // of which auth has tail_bytes_ of pieces
  uint64_t tail_bytes_ = 0;
  std::string sent_checkpoint_;
  uint64_t sent_bytes_ = 0;
};

}  // namespace cairn::agent
