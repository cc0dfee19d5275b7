#include "auth/recordings/recordings.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/tests/recording_fixture.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;

std::string contents(const std::filesystem::path& path) { return read_file(path, 1 << 26).value(); }

class Upload : public testing::Test {
 protected:
  void upload_all(const std::vector<std::string>& chunks) {
    for (size_t i = 0; i < chunks.size(); ++i) {
      const Result<RecordingState> state = archive_.upload(i, chunks[i]);
      ASSERT_TRUE(state) << state.error().message;
      EXPECT_EQ(state->chunks, i + 1);
    }
  }
  void append_to_file(const std::string& bytes) {
    const UniqueFd file(::open(archive_.file().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    ASSERT_TRUE(write_all(file.get(), bytes));
  }

  Archive archive_;
};

TEST_F(Upload, KeepsTheBytesOfTheSpool) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all(chunks);
  EXPECT_EQ(contents(archive_.file()), joined(chunks));
  struct stat status{};
  ASSERT_EQ(::stat(archive_.file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(Upload, TellsTheSessionsStory) {
  upload_all(archive_.recording.chunks());
  const v1::Session row = archive_.row();
  EXPECT_EQ(row.command(), "uptime");
  EXPECT_EQ(row.start_wall_s(), archive_.recording.wall_ns / kNsPerS);
  EXPECT_EQ(row.end_wall_s(), row.start_wall_s() + 90);
  EXPECT_EQ(row.end_reason(), "complete");
  EXPECT_EQ(row.recording_chunks(), 4U);
  EXPECT_EQ(row.recording_bytes(), contents(archive_.file()).size());
  EXPECT_TRUE(row.recording_complete());
  const std::vector<AuditEvent> ends = archive_.audit("session.end");
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].user(), "alice");
  EXPECT_EQ(ends[0].session_id(), archive_.recording.session_id);
  EXPECT_EQ(ends[0].fields().at("execs"), "3");
}

TEST_F(Upload, FindsTheCommandInALaterChunk) {
  upload_all({archive_.recording.chunk(0, {archive_.recording.begin()}),
              archive_.recording.chunk(1, {TestRecording::output(1)}),
              archive_.recording.chunk(2, {TestRecording::channel("id")})});
  EXPECT_EQ(archive_.row().command(), "id");
}

TEST_F(Upload, AcknowledgesAChunkAgainWithoutStoringItTwice) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all(chunks);
  for (size_t i = 0; i < chunks.size(); ++i) {
    const Result<RecordingState> state = archive_.upload(i, chunks[i]);
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ(state->chunks, 4U);
    EXPECT_TRUE(state->is_complete);
  }
  EXPECT_EQ(contents(archive_.file()), joined(chunks));
  EXPECT_EQ(archive_.audit("session.end").size(), 1U);
}

TEST_F(Upload, GoesOnWhereItStoodAfterARestart) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0], chunks[1]});
  archive_.open();
  const Result<RecordingState> state =
      archive_.recordings->open_upload(archive_.node.id, archive_.recording.session_id);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->chunks, 2U);
  EXPECT_EQ(state->bytes, chunks[0].size() + chunks[1].size());
  EXPECT_TRUE(archive_.upload(2, chunks[2]));
  EXPECT_TRUE(archive_.upload(3, chunks[3]));
  EXPECT_EQ(contents(archive_.file()), joined(chunks));
}

TEST_F(Upload, RefusesAChunkThatLeavesAGap) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0]});
  const Result<RecordingState> state = archive_.upload(2, chunks[2]);
  EXPECT_EQ(code_of(state), Errc::kInvalid);
  EXPECT_EQ(message_of(state), "chunk 2 where 1 is next");
  EXPECT_EQ(contents(archive_.file()), chunks[0]);
}

TEST_F(Upload, RefusesMoreAfterTheFinalChunk) {
  upload_all(archive_.recording.chunks());
  const std::string more = archive_.recording.chunk(4, {TestRecording::output(1)});
  EXPECT_EQ(message_of(archive_.upload(4, more)), "the recording is complete with 4 chunks");
}

TEST_F(Upload, RefusesWhatIsNotTheChunkThatItSays) {
  const std::string begin = archive_.recording.chunks()[0];
  TestRecording other = archive_.recording;
  other.session_id = random_uuid();
  EXPECT_THAT(message_of(archive_.upload(0, other.chunks()[0])),
              HasSubstr("chunk 0: it belongs to session " + other.session_id));
  EXPECT_THAT(message_of(archive_.upload(1, begin)), HasSubstr("chunk 1 says that it is number 0"));
  EXPECT_THAT(message_of(archive_.upload(0, begin + "x")), HasSubstr("chunk 0: "));
  EXPECT_THAT(message_of(archive_.upload(0, "")), HasSubstr("chunk 0: "));
  for (size_t at = 0; at < begin.size(); ++at) {
    std::string flipped = begin;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_EQ(code_of(archive_.upload(0, flipped)), Errc::kInvalid) << "byte " << at;
    EXPECT_EQ(code_of(archive_.upload(0, begin.substr(0, at))), Errc::kInvalid) << at << " bytes";
  }
  EXPECT_FALSE(std::filesystem::exists(archive_.file()));
}

TEST_F(Upload, RefusesARecordingOfAnotherThanTheAuthorizedSession) {
  const auto refused = [&](auto change) {
    TestRecording lie = archive_.recording;
    change(lie);
    return message_of(archive_.upload(0, lie.chunk(0, {lie.begin()})));
  };
  EXPECT_EQ(refused([](TestRecording& lie) { lie.user = "bob"; }),
            "chunk 0: the recording names user \"bob\", and auth has authorized \"alice\"");
  EXPECT_THAT(refused([](TestRecording& lie) { lie.login = "root"; }), HasSubstr("login \"root\""));
  EXPECT_THAT(refused([](TestRecording& lie) { lie.node_id = "x"; }), HasSubstr("node \"x\""));
  EXPECT_THAT(message_of(archive_.upload(0, archive_.recording.chunk(0, {TestRecording::output(1)}))),
              HasSubstr("does not say whose recording it begins"));
  EXPECT_TRUE(archive_.upload(0, archive_.recording.chunks()[0]));
  EXPECT_THAT(message_of(archive_.upload(1, archive_.recording.chunk(1, {TestRecording::output(1)}, true))),
              HasSubstr("holds no End"));
}

TEST_F(Upload, RefusesAChunkThatDoesNotContinueTheOneBefore) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0], chunks[1]});
  archive_.recording.leaves[1] = std::string(32, 'x');
  EXPECT_THAT(message_of(archive_.upload(2, archive_.recording.chunk(2, {TestRecording::output(2)}))),
              HasSubstr("does not continue the chunk before it"));
  EXPECT_TRUE(archive_.upload(2, chunks[2]));
}

TEST_F(Upload, IsForTheNodeOfTheSessionAlone) {
  const Subject other = archive_.new_node("web-2");
  const std::string chunk = archive_.recording.chunks()[0];
  EXPECT_EQ(code_of(archive_.recordings->upload(other.id, archive_.recording.session_id, 0, chunk)), Errc::kDenied);
  EXPECT_EQ(code_of(archive_.recordings->open_upload(other.id, archive_.recording.session_id)), Errc::kDenied);
  EXPECT_EQ(code_of(archive_.recordings->upload(archive_.node.id, random_uuid(), 0, chunk)), Errc::kNotFound);
  EXPECT_EQ(code_of(archive_.recordings->upload(archive_.node.id, "../../etc/passwd", 0, chunk)), Errc::kInvalid);
}

// ---- what a crash leaves

struct Tear {
  const char* name;
  size_t keep_of_last;  // bytes of the third chunk that reached the disk
  bool is_zeroed;       // the file grew and its blocks did not arrive
};
class TornRecording : public Upload, public testing::WithParamInterface<Tear> {};

TEST_P(TornRecording, KeepsWholeChunksAndTakesTheRestAgain) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0], chunks[1]});
  std::string torn = chunks[2].substr(0, std::min(GetParam().keep_of_last, chunks[2].size()));
  if (GetParam().is_zeroed) std::fill(torn.begin() + static_cast<ptrdiff_t>(torn.size() / 2), torn.end(), '\0');
  append_to_file(torn);
  archive_.open();
  ASSERT_TRUE(archive_.recordings->reconcile());
  EXPECT_EQ(archive_.recordings->state(archive_.recording.session_id)->chunks, 2U);
  EXPECT_EQ(contents(archive_.file()), chunks[0] + chunks[1]);
  EXPECT_TRUE(archive_.upload(2, chunks[2]));
  EXPECT_TRUE(archive_.upload(3, chunks[3]));
  EXPECT_EQ(contents(archive_.file()), joined(chunks));
  EXPECT_TRUE(archive_.row().recording_complete());
}

INSTANTIATE_TEST_SUITE_P(Cuts, TornRecording,
                         testing::Values(Tear{"one_byte", 1, false}, Tear{"inside_the_header", 40, false},
                                         Tear{"inside_the_payload", 200, false},
                                         Tear{"whole_but_zeroed", 1 << 20, true}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(Upload, KeepsAWholeChunkThatWasNotYetAcknowledged) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0]});
  append_to_file(chunks[1]);
  archive_.open();
  EXPECT_EQ(archive_.recordings->state(archive_.recording.session_id)->chunks, 2U);
  EXPECT_TRUE(archive_.upload(1, chunks[1])) << "the node sends it again";
  EXPECT_EQ(contents(archive_.file()), chunks[0] + chunks[1]);
}

TEST_F(Upload, LearnsTheEndFromTheFileWhenTheCrashCameBeforeTheRow) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0]});
  append_to_file(chunks[1] + chunks[2] + chunks[3]);
  archive_.open();
  ASSERT_TRUE(archive_.recordings->reconcile());
  EXPECT_TRUE(archive_.row().recording_complete());
  EXPECT_EQ(archive_.row().end_reason(), "complete");
  EXPECT_EQ(archive_.audit("session.end").size(), 1U);
}

TEST_F(Upload, BringsBackTheRowOfARecordingThatTheDatabaseDoesNotKnow) {
  upload_all(archive_.recording.chunks());
  archive_.store.reset();
  for (const char* name : {"auth.db", "auth.db-wal", "auth.db-shm"})
    std::filesystem::remove(archive_.folder.path() / name);
  archive_.log = Log("auth-test", LogLevel::kError);
  archive_.open();
  ASSERT_TRUE(archive_.recordings->reconcile());
  EXPECT_EQ(archive_.row().user(), "alice");
  EXPECT_EQ(archive_.row().command(), "uptime");
  EXPECT_TRUE(archive_.row().recording_complete());
}

TEST_F(Upload, LeavesARecordingAloneThatIsDamagedInItsMiddle) {
  // Noise does not compress: the chunks are larger than what one torn chunk can leave.
  std::vector<std::string> chunks = {archive_.recording.chunks()[0]};
  for (uint64_t i = 1; i <= 5; ++i) {
    std::vector<recorder::Event> events;
    for (uint64_t part = 0; part < 30; ++part) {
      recorder::Event event = TestRecording::output(i);
      event.mutable_output()->set_data(random_bytes(recorder::kMaxOutputBytes));
      events.push_back(event);
    }
    chunks.push_back(archive_.recording.chunk(i, events));
  }
  upload_all(chunks);
  std::string damaged = contents(archive_.file());
  damaged[chunks[0].size() + 3] = '?';
  ASSERT_TRUE(write_file_atomically(archive_.file(), damaged, 0600));
  archive_.open();
  const Result<RecordingState> state = archive_.recordings->state(archive_.recording.session_id);
  EXPECT_EQ(code_of(state), Errc::kCorrupt);
  EXPECT_THAT(message_of(state), HasSubstr("damaged after 1 chunks"));
  EXPECT_THAT(message_of(state), HasSubstr("restore it from the backup"));
  EXPECT_EQ(contents(archive_.file()), damaged);
}

TEST_F(Upload, ToADiskThatIsFullIsNotAcknowledgedAndGoesOnLater) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  // /dev/full's like for a folder: a tmpfs of one page.
  const std::filesystem::path mount = archive_.folder.path() / "small";
  std::filesystem::create_directory(mount);
  if (run_program("mount -t tmpfs -o size=8k none " + mount.string()).status != 0) GTEST_SKIP() << "needs mount(2)";
  {
    const auto store = DirectoryChunkStore::open(mount / "recordings").value();
    const std::string filler(8192, 'x');
    const auto header = [](const std::string& chunk) { return recorder::check_chunk(chunk).value().header; };
    ASSERT_TRUE(store->append(archive_.recording.session_id, header(chunks[0]), chunks[0]));
    std::ignore = write_file_atomically(mount / "filler", filler.substr(0, 4096), 0600);
    std::string big = archive_.recording.chunk(1, {[] {
                                                 recorder::Event event = TestRecording::output(1);
                                                 event.mutable_output()->set_data(random_bytes(16'000));
                                                 return event;
                                               }()});
    const Result<RecordingState> refused = store->append(archive_.recording.session_id, header(big), big);
    EXPECT_EQ(code_of(refused), Errc::kUnavailable) << message_of(refused);
    EXPECT_EQ(store->state(archive_.recording.session_id)->chunks, 1U);
    std::filesystem::remove(mount / "filler");
    EXPECT_TRUE(store->append(archive_.recording.session_id, header(chunks[1]), chunks[1]));
    EXPECT_EQ(contents(mount / "recordings" / (archive_.recording.session_id + ".rec")), chunks[0] + chunks[1]);
  }
  run_program("umount " + mount.string());
}

// ---- reading

TEST_F(Upload, IsReadInSlicesUpToWhatIsDurable) {
  const std::vector<std::string> chunks = archive_.recording.chunks();
  upload_all({chunks[0], chunks[1]});
  const std::string& id = archive_.recording.session_id;
  std::string read;
  for (;;) {
    const std::string slice = archive_.recordings->read(id, 0, read.size(), 7).value().bytes;
    if (slice.empty()) break;
    read += slice;
  }
  EXPECT_EQ(read, chunks[0] + chunks[1]);
  EXPECT_EQ(archive_.recordings->read(id, 0, UINT64_MAX, 7).value().bytes, "");
  EXPECT_EQ(archive_.recordings->read(random_uuid(), 0, 0, 7).value().bytes, "");
}

}  // namespace
}  // namespace cairn::auth
