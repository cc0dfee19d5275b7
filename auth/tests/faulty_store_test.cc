// The archive on a disk that fails at its first operation, at its second, and so on until a run meets no fault any
// more; in every way that a disk can fail, once and for a while. Auth is killed then and started again, and power may
// be lost. What a node was told to be stored is there, once.
#include <gmock/gmock.h>

#include "auth/tests/recording_fixture.h"
#include "base/file.h"
#include "recorder/tail_record.h"
#include "tests/support/faulty_disk.h"

namespace cairn::auth {
namespace {

constexpr uint64_t kChunks = 4;
constexpr uint64_t kPiecesPerChunk = 2;
constexpr int kAttemptsBeforeHealed = 3;

struct Harm {
  DiskFault fault;
  bool lasts;        // until as many attempts as a node makes have failed, not for one operation
  bool loses_power;  // once auth has been killed
};

std::vector<Harm> all_harm() {
  std::vector<Harm> all;
  for (const DiskFault fault : kAllDiskFaults) {
    for (const bool lasts : {false, true}) {
      for (const bool loses_power : {false, true}) all.push_back({fault, lasts, loses_power});
    }
  }
  return all;
}

std::string name_of_harm(const testing::TestParamInfo<Harm>& info) {
  return fmt::format("{}_{}{}", name_of(info.param.fault), info.param.lasts ? "lasting" : "once",
                     info.param.loses_power ? "_then_power_lost" : "");
}

// The n-th of a chunk that is still open, from 1.
std::string piece(uint64_t chunk, uint64_t number) {
  return recorder::encode_tail_record({.type = recorder::TailRecordType::kPiece,
                                       .chunk = chunk,
                                       .counter = number,
                                       .meta = {},
                                       .body = std::string(200, static_cast<char>('a' + number))});
}

class FaultyChunkStore : public testing::TestWithParam<Harm> {
 protected:
  FaultyChunkStore() : chunks_(made_.chunks(kChunks - 2)) {}

  std::filesystem::path folder() const { return temporary_.path() / "recordings"; }
  std::filesystem::path file() const { return folder() / (made_.session_id + ".rec"); }
  const std::string& id() const { return made_.session_id; }

  void start() {
    store_.reset();
    Result<std::unique_ptr<DirectoryChunkStore>> opened = DirectoryChunkStore::open(folder());
    if (opened) store_ = std::move(*opened);
  }

  // What a node does that has all of the session: asks where auth stands, sends what comes next. False: refused.
  bool send_next() {
    if (!store_) start();
    if (!store_) return false;
    const Result<RecordingState> state = store_->state(id());
    if (!is_taken(state)) return false;
    note_acknowledged(*state);
    if (state->is_complete) return put_proof();
    const Result<StoredTail> tail = store_->tail(id());
    if (!is_taken(tail)) return false;
    EXPECT_GE(tail->checkpoint, acknowledged_checkpoint_);
    if (state->chunks > 0 && tail->pieces.size() < all_pieces(state->chunks).size()) return send_piece(*tail);
    const std::string& chunk = chunks_[state->chunks];
    const Result<RecordingState> stored = store_->append(id(), recorder::check_chunk(chunk)->header, chunk);
    if (!is_taken(stored)) return false;
    note_acknowledged(*stored);
    return true;
  }

  bool send_piece(const StoredTail& tail) {
    const uint64_t number = 1 + tail.pieces.size() / piece(tail.chunk, 1).size();
    const std::string checkpoint = fmt::format("checkpoint {} {}", tail.chunk, number);
    const Result<uint64_t> stored = store_->append_tail(
        id(), {.chunk = tail.chunk, .start = "a start", .pieces = piece(tail.chunk, number), .checkpoint = checkpoint});
    if (!is_taken(stored)) return false;
    acknowledged_checkpoint_ = checkpoint;
    acknowledged_pieces_ = {tail.chunk, *stored};
    return true;
  }

  bool put_proof() {
    const Result<void> put = store_->put_proof(id(), "a proof");
    if (!is_taken(put)) return false;
    has_proof_ = true;
    return true;
  }

  // A refusal says why, in a way that makes the node come again.
  template <class T> bool is_taken(const Result<T>& result) {
    if (result) return true;
    EXPECT_EQ(code_of(result), Errc::kUnavailable) << message_of(result);
    EXPECT_THAT(message_of(result), testing::HasSubstr("auth cannot store the recording"));
    return false;
  }

  static std::string all_pieces(uint64_t chunk) {
    std::string all;
    for (uint64_t number = 1; number <= kPiecesPerChunk; ++number) all += piece(chunk, number);
    return all;
  }

  void note_acknowledged(const RecordingState& state) {
    EXPECT_GE(state.chunks, acknowledged_.chunks);
    EXPECT_GE(state.bytes, acknowledged_.bytes);
    acknowledged_ = state;
  }

  void expect_nothing_lost() {
    const RecordingState state = store_->state(id()).value();
    note_acknowledged(state);
    EXPECT_EQ(store_->read(id(), 0, 1 << 20).value(), joined(chunks_).substr(0, state.bytes));
    const StoredTail tail = store_->tail(id()).value();
    if (has_proof_) {
      EXPECT_EQ(store_->proof(id()).value(), "a proof");
    } else {
      EXPECT_GE(tail.checkpoint, acknowledged_checkpoint_);
    }
    if (tail.chunk != acknowledged_pieces_.first || state.is_complete) return;
    EXPECT_GE(tail.pieces.size(), acknowledged_pieces_.second);
    EXPECT_TRUE(all_pieces(tail.chunk).starts_with(tail.pieces));
  }

  void forget_run() {
    store_.reset();
    acknowledged_ = {};
    acknowledged_checkpoint_.clear();
    acknowledged_pieces_ = {};
    has_proof_ = false;
    std::filesystem::remove_all(folder());
    std::filesystem::create_directory(folder());
    std::filesystem::permissions(folder(), std::filesystem::perms::owner_all);
  }

  TempFolder temporary_;
  TestRecording made_;
  std::vector<std::string> chunks_;
  std::unique_ptr<DirectoryChunkStore> store_;
  RecordingState acknowledged_;
  std::string acknowledged_checkpoint_;
  std::pair<uint64_t, uint64_t> acknowledged_pieces_;  // chunk, bytes
  bool has_proof_ = false;
};

TEST_P(FaultyChunkStore, StoresOnceAndForGoodWhatItHasAcknowledged) {
  const Harm& harm = GetParam();
  uint64_t runs = 0;
  for (uint64_t nth = 1; !HasFailure(); ++nth) {
    forget_run();
    FaultyDisk disk(folder());
    disk.fail(harm.fault, nth, harm.lasts ? UINT64_MAX : 0);
    for (int failed = 0; !has_proof_ && failed < kAttemptsBeforeHealed;) {
      if (!send_next()) ++failed;
      ASSERT_FALSE(HasFailure()) << "operation " << nth << ", " << disk.first_failure();
    }
    if (disk.operations() < nth) break;
    ++runs;
    SCOPED_TRACE(testing::Message() << "operation " << nth << ", " << disk.first_failure());
    // Killed while the disk still fails, and asked at once where it stands …
    start();
    if (store_) {
      if (const Result<RecordingState> state = store_->state(id())) note_acknowledged(*state);
    }
    // … then killed again, on a disk that works.
    store_.reset();
    disk.heal();
    if (harm.loses_power) disk.lose_power();
    start();
    expect_nothing_lost();
    while (!has_proof_) ASSERT_TRUE(send_next());
    EXPECT_EQ(read_file(file(), 1 << 20).value(), joined(chunks_)) << "each chunk once";
    EXPECT_EQ(store_->proof(id()).value(), "a proof");
    store_.reset();
  }
  EXPECT_GT(runs, kChunks) << "hardly a fault was met";
}

INSTANTIATE_TEST_SUITE_P(EachWay, FaultyChunkStore, testing::ValuesIn(all_harm()), name_of_harm);

// The same for all of auth: chunks, rows and audit log on one disk.
class FaultyArchive : public testing::TestWithParam<Harm> {
 protected:
  // What a node does that has all of the session. False: refused.
  bool send_next() {
    const Result<RecordingState> state = archive_.recordings->open_upload(archive_.node.id, session_.session_id);
    if (!state) return false;
    EXPECT_GE(state->chunks, acknowledged_);
    acknowledged_ = state->chunks;
    if (state->is_complete) return is_done_ = true;
    const Result<RecordingState> stored =
        archive_.recordings->upload(archive_.node.id, session_.session_id, state->chunks, chunks_[state->chunks]);
    if (stored) acknowledged_ = stored->chunks;
    return static_cast<bool>(stored);
  }

  Archive archive_;
  TestRecording session_;
  std::vector<std::string> chunks_;
  uint64_t acknowledged_ = 0;
  bool is_done_ = false;
};

TEST_P(FaultyArchive, TellsEachSessionsEndOnce) {
  const Harm& harm = GetParam();
  uint64_t runs = 0;
  for (uint64_t nth = 1; !HasFailure(); ++nth) {
    session_ = archive_.authorized();
    chunks_ = session_.chunks(1);
    acknowledged_ = 0;
    is_done_ = false;
    FaultyDisk disk(archive_.folder.path(), FaultyDisk::Memory::kNone);
    disk.fail(harm.fault, nth, harm.lasts ? UINT64_MAX : 0);
    for (int failed = 0; !is_done_ && failed < kAttemptsBeforeHealed;) {
      if (!send_next()) ++failed;
    }
    if (disk.operations() < nth) break;
    ++runs;
    SCOPED_TRACE(testing::Message() << "operation " << nth << ", " << disk.first_failure());
    disk.heal();
    while (!is_done_) ASSERT_TRUE(send_next());
    const std::filesystem::path file = archive_.folder.path() / "recordings" / (session_.session_id + ".rec");
    EXPECT_EQ(read_file(file, 1 << 20).value(), joined(chunks_));
    const v1::Session row = archive_.store->find_session(session_.session_id)->session;
    EXPECT_TRUE(row.recording_complete());
    EXPECT_EQ(row.command(), "uptime");
    EXPECT_EQ(row.start_wall_s(), session_.wall_ns / kNsPerS);
    EXPECT_GT(archive_.recordings->proof_bytes(session_.session_id).value(), 0U);
    AuditQuery ends{.kinds = {"session.end"}, .session_id = session_.session_id, .limit = 10};
    EXPECT_EQ(archive_.store->search_audit(ends)->rows.size(), 1U);
  }
  EXPECT_GT(runs, chunks_.size()) << "hardly a fault was met";
}

// What power loss leaves of a database is SQLite's own business, and tested there.
std::vector<Harm> harm_without_power_loss() {
  std::vector<Harm> all = all_harm();
  std::erase_if(all, [](const Harm& harm) { return harm.loses_power; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(EachWay, FaultyArchive, testing::ValuesIn(harm_without_power_loss()), name_of_harm);

}  // namespace
}  // namespace cairn::auth
