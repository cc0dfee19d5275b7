#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/bytes.h"
#include "recorder/summary.h"
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
  bytes[second + 70] = static_cast<char>(~bytes[second + 70]);
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

std::string chunk_of(const Batch& batch, uint64_t number, bool is_final, std::string_view session = kSession) {
  ChunkHeader header;
  header.is_final = is_final;
  header.session = uuid_bytes(session);
  header.number = number;
  return encode_chunk(header, batch).value();
}

TEST_F(HostileRecording, IsRefusedWithForeignChunksAndStrayFrames) {
  Batch begin;
  begin.add_events()->mutable_begin()->set_session_id(std::string(kSession));
  Batch output;
  *output.add_events() = make_output(1, "x");
  Batch end;
  end.add_events()->mutable_end();
  const std::string first = chunk_of(begin, 0, false);
  constexpr std::string_view kOther = "00000000-0000-4000-8000-000000000000";

  const Played good = play(first + chunk_of(output, 1, false) + chunk_of(end, 2, true));
  EXPECT_TRUE(good.end) << good.end.error().message;
  const std::vector<std::pair<const char*, std::string>> bad = {
      {"another session's chunk", first + chunk_of(output, 1, false, kOther)},
      {"Begin names another session", chunk_of(begin, 0, false, kOther)},
      {"no Begin", chunk_of(output, 0, false)},
      {"two Begins", first + chunk_of(begin, 1, false)},
      {"final without End", first + chunk_of(output, 1, true)},
      {"End without final", first + chunk_of(end, 1, false)},
  };
  for (const auto& [what, bytes] : bad) EXPECT_EQ(code_of(play(bytes).end), Errc::kCorrupt) << what;
}

TEST_F(HostileRecording, IsFoundOutWhenItsEndLies) {
  Batch begin;
  *begin.add_events()->mutable_begin() = make_begin();
  Batch end;
  Event& last = *end.add_events();
  last.mutable_end()->set_kernel_issued(5);
  last.mutable_end()->set_execs(2);
  write_bytes(chunk_of(begin, 0, false) + chunk_of(end, 1, true));
  const Summary summary = summarize(path_).value();
  EXPECT_TRUE(summary.is_complete);
  EXPECT_FALSE(summary.is_accounted);
  EXPECT_EQ(summary.findings.size(), 3u) << "execs, index, issued numbers";
}

TEST_F(InterruptedRecording, IsNotTouchedWhileItsWriterLives) {
  const RecordingWriter writer = make_writer();
  const std::string before = contents(path_);
  const Result<void> closed = close_interrupted(path_, kStartNs, 0);
  ASSERT_FALSE(closed);
  EXPECT_EQ(code_of(closed), Errc::kDenied);
  EXPECT_EQ(contents(path_), before);
}

TEST_F(InterruptedRecording, IsLeftAloneWhenItIsComplete) {
  const std::string before = make_small_recording();
  ASSERT_TRUE(close_interrupted(path_, kStartNs, 7));
  EXPECT_EQ(contents(path_), before);
}

TEST_F(InterruptedRecording, IsClosedAfterACutAtAnyByte) {
  const std::string bytes = make_small_recording();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    SCOPED_TRACE(testing::Message() << "cut at " << cut);
    write_bytes(std::string_view(bytes).substr(0, cut));
    const size_t whole = whole_chunks_before(offsets, cut);
    const Result<void> closed = close_interrupted(path_, kStartNs + 1000 * kMs, 3);
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
    ASSERT_TRUE(writer.flush_all());
  }
  ASSERT_TRUE(close_interrupted(path_, kStartNs, std::nullopt));
  const std::vector<Event> events = play(contents(path_)).events;
  ASSERT_EQ(events.size(), 6u);
  EXPECT_EQ(events[3].gap().from_seq(), 2u) << "what is known to be missing is named";
  EXPECT_EQ(events[3].gap().count(), 2u);
  EXPECT_EQ(events[4].gap().count(), 0u);
  EXPECT_EQ(events[4].gap().reason(), recording::v1::GAP_REASON_INTERRUPTED);
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
  ASSERT_TRUE(close_interrupted(path_, kStartNs, 3));
  EXPECT_EQ(summarize(path_).value().kernel_stored, 1u);

  std::string half = bytes.substr(0, offsets[3]);
  std::fill(half.end() - 20, half.end(), '\0');
  write_bytes(half);
  ASSERT_TRUE(close_interrupted(path_, kStartNs, 3));
  EXPECT_EQ(summarize(path_).value().kernel_stored, 1u);
}

TEST_F(InterruptedRecording, IsLeftAsItIsWhenTheDamageIsNotAtItsEnd) {
  const std::string bytes = make_small_recording();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  for (const size_t damage : {offsets[1], offsets[1] + 30, offsets[1] + 70}) {
    std::string damaged = bytes.substr(0, bytes.size() - 5);
    damaged[damage] = static_cast<char>(~damaged[damage]);
    write_bytes(damaged);
    const Result<void> closed = close_interrupted(path_, kStartNs, 3);
    ASSERT_FALSE(closed) << "damage at " << damage;
    EXPECT_EQ(code_of(closed), Errc::kCorrupt) << closed.error().message;
    EXPECT_EQ(contents(path_), damaged);
  }
}

// The child tells through a pipe what flush_all() has confirmed; kill -9 meets it wherever it is.
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
        if (!writer.flush_all() || ::write(confirmations.get(), &n, sizeof(n)) != sizeof(n)) ::_exit(1);
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
    const Result<void> closed = close_interrupted(path_, kStartNs + 1000 * kMs, confirmed + 5);
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
