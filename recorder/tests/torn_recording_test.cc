#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/bytes.h"
#include "recorder/chunk_builder.h"
#include "recorder/summary.h"
#include "recorder/tail_file.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

using TornRecording = RecordingFolder;
using InterruptedRecording = RecordingFolder;
using HostileRecording = RecordingFolder;
using recording::v1::END_REASON_INTERRUPTED;

size_t whole_chunks_before(const std::vector<size_t>& offsets, size_t cut) {
  size_t whole = 0;
  while (whole + 1 < offsets.size() && offsets[whole + 1] <= cut) ++whole;
  return whole;
}

TEST_F(TornRecording, KeepsWholeChunksAndCountsTheRest) {
  const std::string bytes = make_small_recording();
  const size_t events = play(bytes).events.size();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    const size_t whole = whole_chunks_before(offsets, cut);
    const Played played = play(std::string_view(bytes).substr(0, cut), 7);
    ASSERT_FALSE(played.end) << "cut at " << cut;
    EXPECT_EQ(code_of(played.end), Errc::kTruncated);
    EXPECT_EQ(played.end.error().message,
              fmt::format("recording ends after {} whole chunks (offset {}); {} bytes of a torn chunk follow", whole,
                          offsets[whole], cut - offsets[whole]));
    EXPECT_EQ(played.whole_chunks, whole);
    EXPECT_LE(played.events.size() + played.salvaged.size(), events);
  }
  EXPECT_TRUE(play(bytes, 1).end);
}

TEST_F(TornRecording, ShowsEveryFlippedBit) {
  const std::string good = make_small_recording();
  const size_t all = play(good).events.size();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const Played played = play(bad);
    ASSERT_FALSE(played.end) << "bit " << bit;
    EXPECT_LT(played.events.size(), all);
  }
}

TEST_F(TornRecording, IsSummarizedUpToTheCut) {
  const std::string bytes = make_small_recording();
  write_bytes(std::string_view(bytes).substr(0, bytes.size() - 1));
  const Summary summary = summarize(path_).value();
  EXPECT_FALSE(summary.is_complete);
  EXPECT_FALSE(summary.is_accounted);
  EXPECT_EQ(summary.totals.execs, 3u);
  ASSERT_TRUE(summary.truncation.has_value());
  EXPECT_EQ(summary.truncation.value_or(Error()).code, Errc::kTruncated);
}

TEST_F(HostileRecording, NamesChunkAndOffset) {
  std::string bytes = make_small_recording();
  const size_t second = chunk_offsets(bytes)[1];
  bytes[second + 200] = static_cast<char>(~bytes[second + 200]);
  const Played played = play(bytes);
  EXPECT_EQ(code_of(played.end), Errc::kCorrupt);
  EXPECT_TRUE(played.end.error().message.starts_with(fmt::format("chunk 1 at offset {}: ", second)))
      << played.end.error().message;
  EXPECT_EQ(played.events.size(), 1u) << "what came before is good";
}

TEST_F(HostileRecording, IsRefusedWithChunksOutOfPlace) {
  const std::string bytes = make_small_recording();
  const std::vector<size_t> at = chunk_offsets(bytes);
  const auto chunk = [&](size_t i) { return bytes.substr(at[i], at[i + 1] - at[i]); };
  EXPECT_EQ(code_of(play(chunk(0) + chunk(2)).end), Errc::kCorrupt) << "a chunk is missing";
  EXPECT_EQ(code_of(play(chunk(0) + chunk(0)).end), Errc::kCorrupt) << "a chunk stands twice";
  EXPECT_EQ(code_of(play(chunk(1)).end), Errc::kCorrupt) << "the beginning is missing";
  EXPECT_EQ(code_of(play(bytes + chunk(1)).end), Errc::kCorrupt) << "a chunk follows the final one";
  EXPECT_EQ(code_of(play(bytes + "x").end), Errc::kCorrupt) << "a byte follows the final chunk";
}

// Chunks of a recording as anybody could make them: every checksum right, and each continuing the one before.
class Forger {
 public:
  explicit Forger(std::string_view session = kSession) : session_(session) {}

  Forger& begin(std::string_view session = kSession) {
    Opening opening;
    opening.mutable_begin()->mutable_begin()->set_session_id(std::string(session));
    return add(encode_opening(place(), opening));
  }
  Forger& output() { return add(encode_plain_events(place(), {make_output(100'000, "x")}, {})); }
  Forger& end(const End& end = {}) {
    Closing closing;
    *closing.mutable_end()->mutable_end() = end;
    closing.mutable_end()->set_boot_ns(200'000);
    return add(encode_closing(place(), closing, {}));
  }
  Forger& of_session(std::string_view session) {
    session_ = session;
    return *this;
  }
  Forger& forget_the_one_before() {
    leaf_ = std::string(32, 'x');
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  ChunkPlace place() const {
    return {.session = uuid_bytes(session_), .number = number_, .previous = leaf_, .anchor = {}};
  }
  Forger& add(const std::string& chunk) {
    bytes_ += chunk;
    if (const Result<ChunkView> view = check_chunk(chunk)) leaf_ = leaf_hash(*view);
    ++number_;
    return *this;
  }

  std::string session_;
  std::string bytes_;
  std::string leaf_;
  uint64_t number_ = 0;
};

TEST_F(HostileRecording, IsRefusedWithForeignChunks) {
  constexpr std::string_view kOther = "00000000-0000-4000-8000-000000000000";
  const Played good = play(Forger().begin().output().end().bytes());
  EXPECT_TRUE(good.end) << good.end.error().message;
  const std::vector<std::pair<const char*, std::string>> bad = {
      {"another session's chunk", Forger().begin().of_session(kOther).output().bytes()},
      {"Begin names another session", Forger().begin(kOther).bytes()},
      {"two Begins", Forger().begin().begin().bytes()},
      {"no Begin", Forger().output().bytes()},
      {"does not continue", Forger().begin().forget_the_one_before().output().bytes()},
      {"two Ends", Forger().begin().end().end().bytes()},
  };
  for (const auto& [what, bytes] : bad) EXPECT_EQ(code_of(play(bytes).end), Errc::kCorrupt) << what;
}

TEST_F(HostileRecording, IsFoundOutWhenItsEndLies) {
  End end;
  end.set_kernel_issued(5);
  end.set_execs(2);
  write_bytes(Forger().begin().output().end(end).bytes());
  const Summary summary = summarize(path_).value();
  EXPECT_TRUE(summary.is_complete);
  EXPECT_FALSE(summary.is_accounted);
  EXPECT_EQ(summary.findings.size(), 4u) << "output, execs, index, issued numbers";
}

TEST_F(InterruptedRecording, IsNotTouchedWhileItsWriterLives) {
  const RecordingWriter writer = make_writer();
  const std::string before = contents(path_);
  const Result<void> closed = close_interrupted(path_, kStartNs, "", 0);
  ASSERT_FALSE(closed);
  EXPECT_EQ(code_of(closed), Errc::kDenied);
  EXPECT_EQ(contents(path_), before);
}

TEST_F(InterruptedRecording, IsLeftAloneWhenItIsComplete) {
  const std::string before = make_small_recording();
  ASSERT_TRUE(close_interrupted(path_, kStartNs, "", 7));
  EXPECT_EQ(contents(path_), before);
}

TEST_F(InterruptedRecording, IsClosedAfterACutAtAnyByte) {
  const std::string bytes = make_small_recording();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    SCOPED_TRACE(testing::Message() << "cut at " << cut);
    write_bytes(std::string_view(bytes).substr(0, cut));
    std::filesystem::remove(TailFile::path_for(path_));
    const size_t whole = whole_chunks_before(offsets, cut);
    const Result<void> closed = close_interrupted(path_, kStartNs + 1000 * kMs, "", 3);
    if (whole == 0) {
      ASSERT_FALSE(closed);
      EXPECT_EQ(code_of(closed), Errc::kTruncated);
      continue;
    }
    ASSERT_TRUE(closed) << closed.error().message;
    EXPECT_FALSE(is_locked(path_).value());
    const std::string recovered = contents(path_);
    EXPECT_TRUE(recovered.starts_with(bytes.substr(0, offsets[whole]))) << "whole chunks are as they were";
    const Summary summary = summarize(path_).value();
    EXPECT_EQ(summary.end.value_or(End()).reason(), END_REASON_INTERRUPTED);
    EXPECT_EQ(summary.findings, std::vector<std::string>());
    EXPECT_TRUE(summary.is_accounted);
    EXPECT_EQ(summary.kernel_stored, std::min<size_t>(whole - 1, 3));
    EXPECT_EQ(summary.kernel_stored + summary.kernel_missing, 3u);
  }
}

TEST_F(InterruptedRecording, OwnsThatNobodyKnowsWhatIsMissing) {
  {
    RecordingWriter writer = make_writer();
    writer.add(make_exec(kStartNs, 1));
    writer.add(make_exec(kStartNs, 4));
    ASSERT_TRUE(writer.flush_all(kStartNs));
  }
  ASSERT_TRUE(close_interrupted(path_, kStartNs, "", std::nullopt));
  const std::vector<Event> events = play(contents(path_)).events;
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[2].kernel_seq(), 4u) << "what the tail held";
  EXPECT_EQ(events[3].gap().count(), 0u);
  EXPECT_EQ(events[3].gap().reason(), recording::v1::GAP_REASON_INTERRUPTED);
  const Summary summary = summarize(path_).value();
  EXPECT_TRUE(summary.is_complete);
  EXPECT_FALSE(summary.is_accounted);
}

TEST_F(InterruptedRecording, LosesATailWhoseBytesNeverReachedTheDisk) {
  const std::string bytes = make_small_recording();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  std::string zeroed = bytes.substr(0, offsets[3]);
  std::fill(zeroed.begin() + static_cast<std::ptrdiff_t>(offsets[2]), zeroed.end(), '\0');
  write_bytes(zeroed);
  EXPECT_EQ(code_of(close_interrupted(path_, kStartNs, "", 3)), Errc::kCorrupt) << "power was not lost";
  ASSERT_TRUE(close_interrupted(path_, kStartNs, "the next boot", 3));
  EXPECT_EQ(summarize(path_).value().kernel_stored, 1u);

  std::string half = bytes.substr(0, offsets[3]);
  std::fill(half.end() - 20, half.end(), '\0');
  write_bytes(half);
  ASSERT_TRUE(close_interrupted(path_, kStartNs, "the next boot", 3));
  EXPECT_EQ(summarize(path_).value().kernel_stored, 1u);
}

TEST_F(InterruptedRecording, IsLeftAsItIsWhenTheDamageIsNotAtItsEnd) {
  const std::string bytes = make_small_recording();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  for (const size_t damage : {offsets[1], offsets[1] + 30, offsets[1] + 200}) {
    std::string damaged = bytes.substr(0, bytes.size() - 5);
    damaged[damage] = static_cast<char>(~damaged[damage]);
    write_bytes(damaged);
    const Result<void> closed = close_interrupted(path_, kStartNs, "", 3);
    ASSERT_FALSE(closed) << "damage at " << damage;
    EXPECT_EQ(code_of(closed), Errc::kCorrupt) << closed.error().message;
    EXPECT_EQ(contents(path_), damaged);
  }
}

// The child tells through a pipe what flush_all(kStartNs) has confirmed; kill -9 meets it wherever it is.
TEST_F(InterruptedRecording, KeepsAllThatWasFlushedBeforeKill9) {
  for (const uint64_t confirmed_before_kill : {1, 17, 60}) {
    SCOPED_TRACE(testing::Message() << "killed after " << confirmed_before_kill);
    std::filesystem::remove(path_);
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    UniqueFd reader(pipe_ends[0]);
    UniqueFd confirmations(pipe_ends[1]);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      RecordingWriter writer = make_writer();
      for (uint64_t n = 1;; ++n) {
        writer.add(make_exec(kStartNs + n, n));
        writer.add(make_output(kStartNs + n, std::string(3000, static_cast<char>('a' + n % 26))));
        if (!writer.flush_all(kStartNs) || ::write(confirmations.get(), &n, sizeof(n)) != sizeof(n)) ::_exit(1);
      }
    }
    confirmations.reset();
    uint64_t confirmed = 0;
    while (confirmed < confirmed_before_kill) {
      ASSERT_EQ(::read(reader.get(), &confirmed, sizeof(confirmed)), static_cast<ssize_t>(sizeof(confirmed)));
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    for (uint64_t more = 0; ::read(reader.get(), &more, sizeof(more)) == sizeof(more);) confirmed = more;

    ASSERT_FALSE(is_locked(path_).value());
    const Result<void> closed = close_interrupted(path_, kStartNs + 1000 * kMs, "", confirmed + 5);
    ASSERT_TRUE(closed) << closed.error().message;
    const Summary summary = summarize(path_).value();
    EXPECT_TRUE(summary.is_accounted);
    EXPECT_GE(summary.kernel_stored, confirmed);
    EXPECT_GE(summary.totals.output_bytes, confirmed * 3000);
    EXPECT_EQ(summary.kernel_issued, confirmed + 5);
  }
}

}  // namespace
}  // namespace cairn::recorder
