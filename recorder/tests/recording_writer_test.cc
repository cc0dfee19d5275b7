#include "recorder/recording_writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "recorder/summary.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

using Recording = RecordingFolder;
using recording::v1::END_REASON_COMPLETE;

TEST_F(Recording, IsPrivateLockedAndBegunFromTheFirstMoment) {
  RecordingWriter writer = make_writer();
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_TRUE(is_locked(path_).value());
  const Played played = play(contents(path_));
  ASSERT_EQ(played.events.size(), 1u);
  EXPECT_EQ(played.events[0].begin().user(), "alice");
  EXPECT_EQ(code_of(played.end), Errc::kTruncated);
}

TEST_F(Recording, DoesNotReplaceAnotherOfItsName) {
  {
    make_writer();
  }
  const std::string before = contents(path_);
  const Result<RecordingWriter> second = RecordingWriter::create(path_, make_begin(), kStartNs, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(code_of(second), std::errc::file_exists);
  EXPECT_EQ(contents(path_), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "a temporary file stayed behind";
}

TEST_F(Recording, IsRefusedWithoutASessionUuid) {
  Begin begin = make_begin();
  begin.set_session_id("../../etc/passwd");
  EXPECT_EQ(code_of(RecordingWriter::create(path_, begin, kStartNs, {})), Errc::kInvalid);
}

TEST_F(Recording, IsUnlockedOnceSealedAndTakesNothingMore) {
  RecordingWriter writer = make_writer();
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs + 1));
  EXPECT_FALSE(is_locked(path_).value());
  const std::string sealed = contents(path_);
  writer.add(make_output(kStartNs + 2, "late"));
  EXPECT_EQ(code_of(writer.flush(kStartNs + 10'000 * kMs)), Errc::kClosed);
  EXPECT_EQ(code_of(writer.seal(END_REASON_COMPLETE, 0, kStartNs + 1)), Errc::kClosed);
  EXPECT_EQ(contents(path_), sealed);
  EXPECT_TRUE(play(sealed).end);
}

TEST_F(Recording, MergesItsSourcesByTime) {
  RecordingWriter writer = make_writer();
  writer.add(make_output(kStartNs + 30 * kMs, "third"));
  writer.add(make_exec(kStartNs + 20 * kMs, 1));
  writer.add(make_output(kStartNs + 10 * kMs, "first"));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 1, kStartNs + 40 * kMs));
  const std::vector<Event> events = play(contents(path_)).events;
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[1].output().data(), "first");
  EXPECT_EQ(events[2].kernel_seq(), 1u);
  EXPECT_EQ(events[3].output().data(), "third");
  EXPECT_TRUE(std::ranges::none_of(events, &Event::late));
}

TEST_F(Recording, KeepsWhatATerminalDoesInOneTickInItsOrder) {
  RecordingWriter writer = make_writer();
  const auto add = [&writer](uint64_t boot_ns, auto fill) {
    Event event;
    event.set_boot_ns(boot_ns);
    fill(event);
    writer.add(std::move(event));
  };
  const uint64_t at = kStartNs + kMs;
  writer.add(make_output(at + 10, "narrow"));
  add(at + 20, [](Event& event) { event.mutable_resize()->set_columns(200); });
  writer.add(make_output(at + 30, "wide"));
  add(at + 40, [](Event& event) { event.mutable_input()->set_data("x"); });
  add(at + 50, [](Event& event) { event.mutable_channel_closed()->set_exit_status(7); });
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs + 40 * kMs));
  std::vector<Event::KindCase> kinds;
  for (const Event& event : play(contents(path_)).events) kinds.push_back(event.kind_case());
  const std::vector<Event::KindCase> expected{Event::kBegin, Event::kOutput,        Event::kResize, Event::kOutput,
                                              Event::kInput, Event::kChannelClosed, Event::kEnd};
  EXPECT_EQ(kinds, expected);
}

TEST_F(Recording, MarksWhatComesAfterTheWindowAsLate) {
  RecordingWriter writer = make_writer();
  writer.add(make_output(kStartNs + 500 * kMs, "in time"));
  ASSERT_TRUE(writer.flush(kStartNs + 600 * kMs));
  writer.add(make_exec(kStartNs + 400 * kMs, 1));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 1, kStartNs + 700 * kMs));
  const std::vector<Event> events = play(contents(path_)).events;
  ASSERT_EQ(events.size(), 4u);
  EXPECT_FALSE(events[1].late());
  EXPECT_TRUE(events[2].late());
  EXPECT_EQ(events[2].kernel_seq(), 1u);
}

TEST_F(Recording, IsOnDiskLessThanASecondBehind) {
  RecordingWriter writer = make_writer();
  writer.add(make_output(kStartNs, "x"));
  ASSERT_TRUE(writer.flush(kStartNs + 250 * kMs));
  EXPECT_FALSE(std::filesystem::exists(TailFile::path_for(path_))) << "too small and too young";
  ASSERT_TRUE(writer.flush(kStartNs + 700 * kMs));
  RecordingDecoder decoder;
  decoder.feed(contents(path_));
  decoder.feed_pieces(1, read_tail(contents(TailFile::path_for(path_)), 1).pieces);
  ASSERT_TRUE(decoder.next().value()->has_begin());
  EXPECT_EQ(decoder.next().value()->output().data(), "x");
  EXPECT_FALSE(decoder.next().value());
  // When the chunk comes as a whole, nothing comes twice.
  writer.add(make_output(kStartNs + 750 * kMs, "y"));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs + 800 * kMs));
  decoder.feed(std::string_view(contents(path_)).substr(decoder.offset()));
  EXPECT_EQ(decoder.next().value()->output().data(), "y");
  EXPECT_TRUE(decoder.next().value()->has_end());
  EXPECT_TRUE(decoder.finish());
}

// A line each 20 ms; now and then the disk takes half a second to sync, so that flush() comes late.
TEST_F(Recording, WritesWhatIsThreeTenthsOfASecondOldWhicheverFlushSyncs) {
  RecordingWriter writer = make_writer();
  uint64_t made = 0;
  uint64_t flush = 0;
  for (uint64_t now = 100; now < 10'000; now += ++flush % 7 == 0 ? 500 : 100) {
    for (; made * 20 < now; ++made)
      writer.add(make_output(kStartNs + made * 20 * kMs, fmt::format("line {}\r\n", made)));
    ASSERT_TRUE(writer.flush(kStartNs + now * kMs));
    std::string stored;
    if (std::filesystem::exists(TailFile::path_for(path_))) {
      RecordingDecoder decoder;
      decoder.feed(contents(path_));
      decoder.feed_pieces(1, read_tail(contents(TailFile::path_for(path_)), 1).pieces);
      while (std::optional<Event> event = decoder.next().value()) stored += event->output().data();
    }
    const uint64_t due = now < 300 ? 0 : (now - 300) / 20;
    if (due > 0)
      EXPECT_TRUE(stored.find(fmt::format("line {}\r\n", due - 1)) != std::string::npos) << "at " << now << " ms";
  }
}

TEST_F(Recording, WritesAtOnceWhatIsLarge) {
  RecordingWriter writer = make_writer();
  for (uint64_t i = 0; i < 3; ++i) writer.add(make_output(kStartNs + i, std::string(30000, 'x'), 0));
  EXPECT_EQ(writer.totals().output_bytes, 0u);
  ASSERT_TRUE(writer.flush(kStartNs + 101 * kMs));
  EXPECT_GT(writer.totals().output_bytes, 0u);
}

TEST_F(Recording, JoinsOutputThatCameInPieces) {
  RecordingWriter writer = make_writer();
  writer.add(make_output(kStartNs + 1, "a"));
  writer.add(make_output(kStartNs + 2, "b"));
  writer.add(make_output(kStartNs + 3, "other channel", 1));
  writer.add(make_output(kStartNs + 4, "c"));
  writer.add(make_output(kStartNs + 4 + 6 * kMs, "much later"));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs + 20 * kMs));
  std::vector<std::string> output;
  for (const Event& event : play(contents(path_)).events) {
    if (event.has_output()) output.push_back(event.output().data());
  }
  EXPECT_EQ(output, (std::vector<std::string>{"ab", "other channel", "c", "much later"}));
}

TEST_F(Recording, SplitsLongOutput) {
  RecordingWriter writer = make_writer();
  const std::string data = std::string(2 * kMaxOutputBytes, 'x') + "end";
  writer.add(make_output(kStartNs, data));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs));
  std::string read;
  for (const Event& event : play(contents(path_)).events) {
    EXPECT_LE(event.output().data().size(), kMaxOutputBytes);
    read += event.output().data();
  }
  EXPECT_EQ(read, data);
  EXPECT_EQ(writer.totals().output_bytes, data.size());
}

TEST_F(Recording, OwnsToANumberMissingForASecond) {
  RecordingWriter writer = make_writer();
  writer.add(make_exec(kStartNs, 1));
  writer.add(make_exec(kStartNs, 4));
  ASSERT_TRUE(writer.flush(kStartNs + 100 * kMs));
  EXPECT_EQ(writer.kernel_missing(), 0u);
  ASSERT_TRUE(writer.flush(kStartNs + 1100 * kMs));
  EXPECT_EQ(writer.kernel_missing(), 2u);
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 6, kStartNs + 1200 * kMs));
  std::vector<std::pair<uint64_t, uint64_t>> gaps;
  for (const Event& event : play(contents(path_)).events) {
    if (event.has_gap()) gaps.emplace_back(event.gap().from_seq(), event.gap().to_seq());
  }
  EXPECT_EQ(gaps, (std::vector<std::pair<uint64_t, uint64_t>>{{2, 3}, {5, 6}}));
  const Summary summary = summarize(path_).value();
  EXPECT_TRUE(summary.is_accounted);
  EXPECT_FALSE(summary.is_sequence_complete);
  EXPECT_EQ(summary.kernel_missing, 4u);
}

TEST_F(Recording, TurnsAnOversizeKernelEventIntoAGap) {
  RecordingWriter writer = make_writer();
  Event huge = make_exec(kStartNs, 1);
  huge.mutable_exec()->add_argv(std::string(kMaxEventBytes, 'x'));
  writer.add(std::move(huge));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 1, kStartNs + 1));
  const Event gap = play(contents(path_)).events.at(1);
  EXPECT_EQ(gap.gap().from_seq(), 1u);
  EXPECT_EQ(gap.gap().reason(), recording::v1::GAP_REASON_UNREADABLE);
  EXPECT_TRUE(summarize(path_).value().is_accounted);
}

TEST_F(Recording, StaysReadableWhateverProgramsCallThemselves) {
  RecordingWriter writer = make_writer();
  const std::string foreign = "bad\xff\xc0name";
  Event exec = make_exec(kStartNs, 1);
  exec.mutable_exec()->mutable_process()->set_comm(foreign);
  writer.add(exec);
  Event opened;
  opened.set_boot_ns(kStartNs);
  opened.mutable_channel_opened()->set_command(foreign);
  opened.mutable_channel_opened()->set_term(foreign);
  writer.add(opened);
  Event closed;
  closed.set_boot_ns(kStartNs);
  closed.mutable_channel_closed()->set_exit_signal(foreign);
  writer.add(closed);
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 1, kStartNs));
  const Played played = play(contents(path_));
  ASSERT_TRUE(played.end) << played.end.error().message;
  EXPECT_EQ(played.events.at(1).exec().process().comm(), "bad\xef\xbf\xbd\xef\xbf\xbdname");
}

TEST_F(Recording, HoldsMoreThanItsWindowInOrderOfRelease) {
  RecordingWriter writer = make_writer();
  const std::string data(kMaxOutputBytes, 'x');
  const uint64_t events = 20 * 1024 * 1024 / kMaxOutputBytes;
  for (uint64_t i = 0; i < events; ++i) writer.add(make_output(kStartNs + i, data));
  EXPECT_GT(writer.totals().output_bytes, 0u) << "nothing has left memory";
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, 0, kStartNs + events));
  const Summary summary = summarize(path_).value();
  EXPECT_EQ(summary.totals.output_bytes, events * kMaxOutputBytes);
  EXPECT_EQ(summary.late_events, 0u);
  EXPECT_EQ(summary.findings, std::vector<std::string>());
}

TEST_F(Recording, HasAnIndexOfItsChunks) {
  const std::string bytes = make_small_recording();
  const End end = play(bytes).events.back().end();
  const std::vector<size_t> offsets = chunk_offsets(bytes);
  ASSERT_EQ(static_cast<size_t>(end.index_size()), offsets.size() - 3) << "all chunks of events";
  for (int i = 0; i < end.index_size(); ++i) {
    EXPECT_EQ(end.index(i).file_offset(), offsets[static_cast<size_t>(i) + 1]);
    const ChunkHeader header = parse_chunk_header(std::string_view(bytes).substr(end.index(i).file_offset())).value();
    EXPECT_EQ(end.index(i).first_boot_ns(), header.first_boot_ns);
    EXPECT_EQ(end.index(i).events(), header.events);
  }
}

// Two sources, each in order and one behind the other, with drops: all is there, in order, and accounted for.
TEST_F(Recording, AccountsForEverythingInAnyOrder) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  RecordingWriter writer = make_writer();
  const uint64_t issued = 3000;
  uint64_t dropped = 0;
  std::string output;
  std::vector<Event> waiting;
  uint64_t now = kStartNs;
  for (uint64_t n = 1; n <= issued; ++n) {
    now += random() % (2 * kMs);
    if (random() % 50 == 0) {
      ++dropped;
    } else {
      waiting.push_back(make_exec(now, n));
    }
    output += std::to_string(n);
    writer.add(make_output(now, std::to_string(n)));
    if (random() % 16 == 0) {
      std::ranges::shuffle(waiting, random);
      for (Event& event : waiting) writer.add(std::move(event));
      waiting.clear();
    }
    if (random() % 40 == 0) ASSERT_TRUE(writer.flush(now));
  }
  for (Event& event : waiting) writer.add(std::move(event));
  ASSERT_TRUE(writer.seal(END_REASON_COMPLETE, issued, now));
  const Summary summary = summarize(path_).value();
  EXPECT_EQ(summary.findings, std::vector<std::string>());
  EXPECT_TRUE(summary.is_accounted);
  EXPECT_EQ(summary.kernel_stored, issued - dropped);
  EXPECT_EQ(summary.kernel_missing, dropped);
  std::string played;
  for (const Event& event : play(contents(path_)).events) played += event.output().data();
  EXPECT_EQ(played, output) << "terminal output is out of order";
}

}  // namespace
}  // namespace cairn::recorder
