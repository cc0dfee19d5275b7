#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "auth/tests/recording_fixture.h"
#include "base/file.h"
#include "recorder/recording_writer.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"
#include "recorder/tests/busy_recording.h"
#include "recorder/verification.h"

namespace cairn::auth {

using recorder::Integrity;
using recorder::TailFile;

constexpr uint64_t kFileBytes = uint64_t{1} << 20;

// A session's recording as its worker writes it and as it lies at auth, sealed and proved.
class Evidence : public testing::Test {
 protected:
  std::filesystem::path spool_file() const { return archive_.folder.path() / (archive_.recording.session_id + ".rec"); }
  static std::string contents(const std::filesystem::path& path) { return read_file(path, size_t{1} << 28).value(); }

  recorder::RecordingWriter make_writer() {
    recorder::RecordingOptions options;
    const auto recipient = recorder::AgeRecipient::parse(archive_.keys->recipients()[0]).value();
    options.keys = std::make_unique<const recorder::RecordingKeys>(recorder::RecordingKeys::make({recipient}));
    options.signer.emplace(std::move(archive_.signing_key), archive_.recording.certificate);
    recorder::Begin begin = archive_.recording.begin().begin();
    begin.set_cluster(archive_.cluster);
    return recorder::RecordingWriter::create(spool_file(), begin, recorder::kStartNs, std::move(options)).value();
  }

  // `count` pieces in the tail, each committed.
  static void write_lines(recorder::RecordingWriter& writer, uint64_t count) {
    recorder::LogLines lines(count);
    for (uint64_t n = 1; n <= count; ++n) {
      writer.add(recorder::make_output(recorder::kStartNs + n * recorder::kMs, lines.next()));
      const Result<void> flushed = writer.flush_all(recorder::kStartNs + n * recorder::kMs);
      ASSERT_TRUE(flushed) << flushed.error().message;
    }
  }

  // All that there is now, as the agent sends it.
  void upload(std::string_view recording) {
    for (uint64_t number = 0; !recording.empty(); ++number) {
      const std::string chunk(recording.substr(0, recorder::parse_chunk_header(recording).value().size()));
      const Result<RecordingState> stored = archive_.upload(number, chunk);
      ASSERT_TRUE(stored) << stored.error().message;
      recording.remove_prefix(chunk.size());
      chunks_ = number + 1;
    }
    const recorder::TailContents tail = recorder::read_tail(contents(TailFile::path_for(spool_file())), chunks_);
    v1::UploadTailRequest last;
    last.set_session_id(archive_.recording.session_id);
    last.set_chunk(chunks_);
    last.set_start(tail.start);
    last.set_pieces(tail.pieces);
    last.set_checkpoint(tail.checkpoint);
    const Result<uint64_t> taken = archive_.recordings->upload_tail(archive_.node.id, last);
    ASSERT_TRUE(taken) << taken.error().message;
  }

  std::filesystem::path proof_file() const {
    return std::filesystem::path(archive_.file()).replace_extension(".proof");
  }

  recorder::Verification verify(std::string_view evidence) const {
    recorder::Verifier verifier;
    verifier.feed(evidence);
    return verifier.finish({.authorities_pem = archive_.authorities->public_parts().host_ca(),
                            .revocations_pem = {},
                            .timestamp_authorities_pem = {}});
  }

  // A whole session, recorded, uploaded and sealed.
  void record(uint64_t file_bytes = kFileBytes) {
    {
      recorder::RecordingWriter writer = make_writer();
      recorder::fill_and_seal(writer, recorder::LogLines(1), file_bytes);
    }
    upload(contents(spool_file()));
  }
  // As it leaves the archive.
  std::string evidence() const { return contents(archive_.file()) + contents(proof_file()); }

  Archive archive_;
  uint64_t chunks_ = 0;
};

inline void flip(std::string& bytes, size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
}

// Whether the byte at `at` lies in what is not payload of events: headers, metas, the first and the last chunk, the
// proof. Little, so it gets flips of its own.
inline std::vector<size_t> places_without_payload(std::string_view evidence) {
  std::vector<size_t> places;
  for (size_t at = 0; at < evidence.size();) {
    const recorder::ChunkHeader header = recorder::parse_chunk_header(evidence.substr(at)).value();
    const bool is_events = header.type == recorder::ChunkType::kEvents;
    const size_t bytes = is_events ? header.head_bytes() + header.meta_bytes : header.size();
    for (size_t i = 0; i < bytes; ++i) places.push_back(at + i);
    at += header.size();
  }
  return places;
}

}  // namespace cairn::auth
