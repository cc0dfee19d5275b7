// What is derived from a recording: the text that was seen, the commands, the keyframes.
#include <fcntl.h>
#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "base/bytes.h"
#include "recorder/derive/derive.h"
#include "recorder/derive/derive_process.h"
#include "recorder/derive/derived_file.h"
#include "recorder/derive/deriver.h"
#include "recorder/derive/line_search.h"
#include "recorder/tail_file.h"
#include "recorder/tail_record.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

using derived::v1::Content;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

Event begin_event() {
  Event event;
  event.set_boot_ns(kStartNs);
  *event.mutable_begin() = make_begin();
  return event;
}

Event opened(uint32_t columns = 40, uint32_t rows = 6, std::string_view command = {}) {
  Event event;
  event.set_boot_ns(kStartNs);
  auto& channel = *event.mutable_channel_opened();
  channel.set_has_pty(true);
  channel.set_columns(columns);
  channel.set_rows(rows);
  channel.set_command(std::string(command));
  return event;
}

std::vector<std::string> lines_of(const Content& content, derived::v1::Source source) {
  std::vector<std::string> lines;
  std::string_view text = content.lines(source).text();
  while (!text.empty()) {
    lines.emplace_back(text.substr(0, text.find('\n')));
    text.remove_prefix(lines.back().size() + 1);
  }
  return lines;
}

// What stays on the terminal once the outputs have come, each 100 ms after the one before.
std::vector<std::string> seen(const std::vector<std::string>& outputs, uint32_t columns = 40, uint32_t rows = 6) {
  Deriver deriver;
  deriver.feed(begin_event());
  deriver.feed(opened(columns, rows));
  uint64_t now = kStartNs;
  for (const std::string& output : outputs) deriver.feed(make_output(now += 100 * kMs, output));
  deriver.settle();
  return lines_of(deriver.take(), derived::v1::SOURCE_OUTPUT);
}

TEST(SeenText, HasEachLineOnceThoughItScrolls) {
  std::string numbers;
  for (int i = 0; i < 20; ++i) numbers += "number " + std::to_string(i) + "\r\n";
  const std::vector<std::string> lines = seen({"first\r\n", numbers, "last"});
  EXPECT_EQ(lines.size(), 22u);
  EXPECT_THAT(lines, Contains("first"));
  EXPECT_THAT(lines, Contains("number 13"));
  EXPECT_EQ(lines.back(), "last");
}

TEST(SeenText, KeepsALineThatIsTypedAsItBecame) {
  EXPECT_THAT(seen({"$ ", "l", "s", " -", "l"}), ElementsAre("$ ls -l"));
}

TEST(SeenText, JoinsWhatWasWrapped) {
  const std::string path = "/a/path/that/is/longer/than/the/terminal/is/wide/and/goes/on";
  EXPECT_THAT(seen({path + "\r\nnext"}), ElementsAre(path, "next"));
  // Even when its beginning has scrolled away.
  const std::string longer(40 * 7, 'x');
  EXPECT_THAT(seen({longer + "\r\n"}), ElementsAre(longer));
}

TEST(SeenText, HasWhatAnEditorShowedAndTookAway) {
  const std::vector<std::string> lines =
      seen({"$ vi\r\n", "\x1b[?1049h\x1b[2J\x1b[Htop secret", "\x1b[Hoverwritten", "\x1b[?1049l"});
  EXPECT_THAT(lines, Contains("top secret"));
  EXPECT_THAT(lines, Contains("overwritten"));
}

TEST(SeenText, HasWhatWasErasedInTheSameBreath) {
  EXPECT_THAT(seen({"hidden in haste\x1b[H\x1b[2Jinnocent"}), ElementsAre("hidden in haste", "innocent"));
  EXPECT_THAT(seen({"other screen\x1b[?1049hinnocent"}), Contains("other screen"));
}

TEST(SeenText, IsBoundedWhereARecordingRedrawsForEver) {
  Deriver deriver;
  deriver.feed(begin_event());
  deriver.feed(opened(1000, 500));
  uint64_t now = kStartNs;
  for (int i = 0; i < 40; ++i) {
    std::string all;
    for (int row = 1; row <= 500; ++row)
      all += "\x1b[" + std::to_string(row) + "H" + std::string(1000, static_cast<char>('a' + i % 26)) +
             std::to_string(i * 500 + row);
    deriver.feed(make_output(now += 100 * kMs, all));
  }
  const Content content = deriver.take();
  EXPECT_LE(content.lines(0).text().size(), VisibleLines::kMaxSeenBytes);
  EXPECT_GT(content.lost_lines(), 0u);
}

Event exec(uint64_t boot_ns, uint32_t pid, uint32_t parent, std::vector<std::string> argv,
           std::string_view path = "/usr/bin/program") {
  Event event = make_exec(boot_ns, 1, path);
  auto& program = *event.mutable_exec();
  program.mutable_process()->set_pid(pid);
  program.mutable_process()->set_parent_pid(parent);
  for (std::string& argument : argv) program.add_argv(std::move(argument));
  return event;
}

Event exited(uint64_t boot_ns, uint32_t pid) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_process_exit()->mutable_process()->set_pid(pid);
  return event;
}

std::vector<std::string> texts(const std::vector<derived::v1::Command>& commands) {
  std::vector<std::string> found;
  for (const auto& each : commands) found.push_back(each.text());
  return found;
}

TEST(Commands, AreWhatAShellStartsThatSomebodyTypesInto) {
  CommandTrack track;
  track.feed(exec(1, 10, 9, {"-bash"}, "/usr/bin/bash"));
  track.feed(exec(2, 11, 10, {"make", "all tests"}));
  EXPECT_EQ(track.current(), 1u);
  track.feed(exec(3, 12, 11, {"cc", "-c", "x.c"}));  // the command's own doing
  track.feed(exec(4, 13, 11, {"sh", "-c", "true"}, "/bin/sh"));
  track.feed(exec(5, 14, 13, {"true"}));
  EXPECT_THAT(texts(track.take_started()), ElementsAre("make \"all tests\""));
  track.feed(exited(6, 11));
  EXPECT_EQ(track.current(), 0u);
  // Who becomes another user gets a shell of their own.
  track.feed(exec(7, 20, 10, {"sudo", "-i"}));
  track.feed(exec(8, 21, 20, {"-bash"}, "/usr/bin/bash"));
  track.feed(exec(9, 22, 21, {"id"}));
  EXPECT_THAT(texts(track.take_started()), ElementsAre("sudo -i", "id"));
  EXPECT_EQ(track.current(), 3u);
}

TEST(Commands, OfAChannelAreItsCommandLine) {
  CommandTrack track;
  track.feed(opened(80, 24, "git fetch --all"));
  EXPECT_THAT(texts(track.take_started()), ElementsAre("git fetch --all"));
  EXPECT_EQ(track.current(), 1u);
  Event closed;
  closed.mutable_channel_closed()->set_channel(0);
  track.feed(closed);
  EXPECT_EQ(track.current(), 0u);
}

TEST(KernelText, StandsByItsSourceWithTheCommandThatRan) {
  Deriver deriver;
  deriver.feed(begin_event());
  deriver.feed(exec(kStartNs, 10, 9, {"-bash"}, "/usr/bin/bash"));
  deriver.feed(exec(kStartNs + 5 * kMs, 11, 10, {"cat", "/etc/shadow"}));
  Event open;
  open.set_boot_ns(kStartNs + 6 * kMs);
  open.mutable_open()->mutable_file()->set_path("/etc/shadow");
  open.mutable_open()->mutable_file()->set_complete(true);
  for (int i = 0; i < 3; ++i) deriver.feed(open);
  const Content content = deriver.take();
  EXPECT_THAT(lines_of(content, derived::v1::SOURCE_COMMANDS), ElementsAre("-bash", "cat /etc/shadow"));
  ASSERT_EQ(lines_of(content, derived::v1::SOURCE_FILES).size(), 1u) << "one command's repeated opening is one line";
  EXPECT_THAT(lines_of(content, derived::v1::SOURCE_FILES)[0], testing::HasSubstr("/etc/shadow"));
  EXPECT_EQ(content.lines(derived::v1::SOURCE_FILES).times_ms(0), 6);
  EXPECT_EQ(content.lines(derived::v1::SOURCE_FILES).commands(0), 1);
}

// ---- the file

class DerivedData : public RecordingFolder {
 protected:
  std::filesystem::path derived_path() const { return folder_ / "derived"; }

  static UniqueFd open_fd(const std::filesystem::path& path) {
    return UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }

  std::optional<RecordingKeys> keys() const {
    if (secret_.empty()) return std::nullopt;
    return RecordingKeys(Secret(secret_));
  }

  Result<void> derive_now(const std::filesystem::path& draft = {}) {
    std::string pieces;
    uint64_t pieces_of = 0;
    if (const Result<std::string> tail = read_file(TailFile::path_for(path_), 1 << 30)) {
      if (const auto chunk = last_chunk_of_tail(*tail)) {
        pieces_of = *chunk;
        pieces = read_tail(*tail, *chunk).pieces;
      }
    }
    return derive({.recording = open_fd(path_),
                   .derived = open_fd(derived_path()),
                   .draft = draft.empty() ? UniqueFd() : open_fd(draft),
                   .pieces_of = pieces_of,
                   .pieces = pieces,
                   .keys = keys()});
  }

  Result<DerivedFile> open_derived(const std::filesystem::path& path) {
    kept_keys_.reset();
    if (!secret_.empty()) kept_keys_.emplace(Secret(secret_));
    return DerivedFile::open(open_fd(path), uuid_bytes(kSession), kept_keys_ ? &*kept_keys_ : nullptr);
  }
  Result<DerivedFile> open_derived() { return open_derived(derived_path()); }

  static std::vector<std::string> all_lines(const DerivedFile& file, derived::v1::Source source) {
    std::vector<std::string> all;
    for (const DerivedSegment& segment : file.segments()) {
      const Result<Content> content = file.content(segment);
      EXPECT_TRUE(content) << content.error().message;
      for (std::string& line : lines_of(*content, source)) all.push_back(std::move(line));
    }
    return all;
  }

  // Encrypted from here on.
  RecordingOptions sealed() {
    const Result<AgeIdentity> identity = AgeIdentity::generate();
    auto keys = std::make_unique<RecordingKeys>(RecordingKeys::make({identity->recipient()}));
    secret_ = keys->secret();
    RecordingOptions options;
    options.keys = std::move(keys);
    return options;
  }

  std::string secret_;
  std::optional<RecordingKeys> kept_keys_;
};

TEST_F(DerivedData, GrowWithTheRecordingAndAreTheSameAsMadeAtOnce) {
  RecordingOptions options = sealed();
  options.seal_raw_bytes = 1;
  RecordingWriter writer = make_writer(std::move(options));
  writer.add(opened());
  for (uint64_t i = 1; i <= 12; ++i) {
    writer.add(
        make_output(kStartNs + i * 50 * kMs, "\x1b[3" + std::to_string(i % 8) + "mline " + std::to_string(i) + "\r\n"));
    writer.add(exec(kStartNs + i * 50 * kMs + 1, 10 + static_cast<uint32_t>(i), 9, {"step", std::to_string(i)}));
    ASSERT_TRUE(writer.flush_all(kStartNs + i * 50 * kMs + 2));
    ASSERT_TRUE(derive_now());
  }
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 12, kStartNs + 900 * kMs));
  ASSERT_TRUE(derive_now());
  const Result<DerivedFile> grown = open_derived();
  ASSERT_TRUE(grown) << grown.error().message;
  const std::vector<std::string> lines = all_lines(*grown, derived::v1::SOURCE_OUTPUT);
  EXPECT_EQ(lines.size(), 12u);
  std::vector<std::string> states;
  for (const DerivedSegment& segment : grown->segments()) states.push_back(grown->state(segment).value());

  std::filesystem::remove(derived_path());
  ASSERT_TRUE(derive_now());
  const Result<DerivedFile> anew = open_derived();
  ASSERT_TRUE(anew) << anew.error().message;
  EXPECT_EQ(all_lines(*anew, derived::v1::SOURCE_OUTPUT), lines);
  EXPECT_EQ(all_lines(*anew, derived::v1::SOURCE_COMMANDS).size(), 12u);
  ASSERT_EQ(anew->segments().size(), states.size());
  for (size_t i = 0; i < states.size(); ++i) EXPECT_EQ(anew->state(anew->segments()[i]).value(), states[i]) << i;
}

TEST_F(DerivedData, ShowNothingToWhoHasNoKey) {
  RecordingWriter writer = make_writer(sealed());
  writer.add(opened());
  writer.add(make_output(kStartNs + kMs, "xyzzy plugh\r\n"));
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 9 * kMs));
  ASSERT_TRUE(derive_now());
  EXPECT_EQ(contents(derived_path()).find("xyzzy"), std::string::npos);
  EXPECT_THAT(all_lines(*open_derived(), derived::v1::SOURCE_OUTPUT), ElementsAre("xyzzy plugh"));
  secret_ = std::string(32, 'k');
  const Result<DerivedFile> other = open_derived();
  ASSERT_TRUE(other);
  EXPECT_EQ(code_of(other->content(other->segments()[1])), make_error_code(Errc::kCorrupt));
}

TEST_F(DerivedData, OfTheOpenChunkAreADraft) {
  RecordingWriter writer = make_writer(sealed());
  writer.add(opened());
  writer.add(make_output(kStartNs + kMs, "not sealed yet\r\n$ "));
  ASSERT_TRUE(writer.flush_all(kStartNs + 5 * kMs));
  ASSERT_TRUE(derive_now(folder_ / "draft"));
  EXPECT_THAT(all_lines(*open_derived(), derived::v1::SOURCE_OUTPUT), IsEmpty());
  const Result<DerivedFile> draft = open_derived(folder_ / "draft");
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_THAT(all_lines(*draft, derived::v1::SOURCE_OUTPUT), ElementsAre("not sealed yet", "$"));
}

TEST_F(DerivedData, AreMadeAnewWhenTheyAreTornOrOthers) {
  make_small_recording();
  ASSERT_TRUE(derive_now());
  const std::string whole = contents(derived_path());
  for (size_t keep = 0; keep < whole.size(); keep += 17) {
    std::ofstream(derived_path(), std::ios::binary | std::ios::trunc)
        .write(whole.data(), static_cast<std::streamsize>(keep));
    ASSERT_TRUE(derive_now()) << keep;
    ASSERT_EQ(all_lines(*open_derived(), derived::v1::SOURCE_OUTPUT).size(), 3u) << keep;
  }
  std::string other = whole;
  other[8] ^= 1;  // the version
  std::ofstream(derived_path(), std::ios::binary | std::ios::trunc) << other;
  EXPECT_EQ(code_of(open_derived()), make_error_code(Errc::kNotFound));
  ASSERT_TRUE(derive_now());
  EXPECT_EQ(all_lines(*open_derived(), derived::v1::SOURCE_OUTPUT).size(), 3u);
}

// The oracle of a jump: keyframe and chunk show what playing from the beginning shows, at any moment.
TEST_F(DerivedData, HaveKeyframesThatPlayOnAsIfFromTheBeginning) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {
      "\x1b[",    "2J", "H",    "text ",       "\r\n",        "\x1b]0;t",  "\x07",
      "\x1b[31m", "日", "\xe6", "\x1b[?1049h", "\x1b[?1049l", "\x1b[5;5H", "a long line that wraps around "};
  RecordingOptions options;
  options.seal_raw_bytes = 600;
  RecordingWriter writer = make_writer(std::move(options));
  writer.add(opened(30, 8));
  for (uint64_t i = 1; i <= 600; ++i) {
    std::string text;
    for (int j = 0; j < 5; ++j) text += pieces[random() % pieces.size()];
    writer.add(make_output(kStartNs + i * kMs, text));
    if (i % 10 == 0) ASSERT_TRUE(writer.flush_all(kStartNs + i * kMs + 1));
  }
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 900 * kMs));
  ASSERT_TRUE(derive_now());
  const Result<DerivedFile> derived = open_derived();
  ASSERT_TRUE(derived) << derived.error().message;
  ASSERT_GT(derived->segments().size(), 10u);
  const std::string bytes = contents(path_);
  const std::vector<Event> all = play(bytes).events;
  const std::string first = bytes.substr(0, parse_chunk_header(bytes)->size());
  for (int jump = 0; jump < 200; ++jump) {
    const uint64_t until = kStartNs + random() % 600 * kMs;
    TerminalTrack whole;
    for (const Event& event : all) {
      if (event.boot_ns() >= until) break;
      whole.feed(event);
    }
    const DerivedSegment* from = nullptr;
    for (const DerivedSegment& segment : derived->segments()) {
      if (segment.last_boot_ns < until) from = &segment;
    }
    if (from == nullptr) continue;
    Result<Keyframe> keyframe = read_keyframe(derived->state(*from).value());
    ASSERT_TRUE(keyframe) << keyframe.error().message;
    RecordingDecoder decoder;
    decoder.feed(first);
    while (decoder.next().value()) {
    }
    decoder.jump(from->next_chunk, from->next_offset);
    decoder.feed(std::string_view(bytes).substr(from->next_offset, 8192));
    for (;;) {
      const Result<std::optional<Event>> event = decoder.next();
      ASSERT_TRUE(event) << event.error().message;
      if (!*event || (*event)->boot_ns() >= until) break;
      keyframe->track.feed(**event);
    }
    ASSERT_TRUE(keyframe->track.screen() == whole.screen()) << "at " << (until - kStartNs) / kMs << " ms";
  }
}

// ---- the process

TEST_F(DerivedData, AreMadeByAProcessThatCanDoNothingElse) {
  RecordingWriter writer = make_writer(sealed());
  writer.add(opened());
  writer.add(make_output(kStartNs + kMs, "made far away\r\n"));
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 9 * kMs));
  const UniqueFd recording(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd derived = open_fd(derived_path());
  const Result<void> done = run_derive_process(
      {.recording = recording.get(), .derived = derived.get(), .pieces = {}, .secret = secret_, .limits = {}});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(all_lines(*open_derived(), derived::v1::SOURCE_OUTPUT), ElementsAre("made far away"));
  const Result<void> denied = run_derive_process(
      {.recording = recording.get(), .derived = derived.get(), .pieces = {}, .secret = {}, .limits = {}});
  ASSERT_FALSE(denied);
  EXPECT_THAT(denied.error().message, testing::HasSubstr("encrypted"));
}

TEST_F(DerivedData, CostNoMoreTimeThanIsGiven) {
  RecordingWriter writer = make_writer();
  writer.add(opened(1000, 500));
  // Few bytes that ask for much: each sequence scrolls a large screen cell by cell.
  std::string slow;
  while (slow.size() < 30'000) slow += "\x1b[9999b\x1b[1 @\x1b[9999L";
  slow = "x" + slow;
  for (uint64_t i = 0; i < 400; ++i) writer.add(make_output(kStartNs + i, slow));
  ASSERT_TRUE(writer.seal(recording::v1::END_REASON_COMPLETE, 0, kStartNs + 9 * kMs));
  const UniqueFd recording(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd derived = open_fd(derived_path());
  SandboxLimits limits;
  limits.cpu = std::chrono::seconds(1);
  const Result<void> ended = run_derive_process(
      {.recording = recording.get(), .derived = derived.get(), .pieces = {}, .secret = {}, .limits = limits});
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message, testing::HasSubstr("signal"));
}

// ---- search

Content content_of(std::vector<std::pair<int, std::string>> lines) {
  Content content;
  auto& into = *content.add_lines();
  int last = 0;
  for (const auto& [ms, text] : lines) {
    into.mutable_text()->append(text + "\n");
    into.add_times_ms(ms - std::exchange(last, ms));
    into.add_commands(0);
  }
  return content;
}

std::vector<std::pair<uint64_t, std::string>> found(const Content& content, const std::string& pattern,
                                                    bool ignores_case = false) {
  std::vector<std::pair<uint64_t, std::string>> lines;
  const Result<LineSearch> search = LineSearch::compile(pattern, ignores_case);
  EXPECT_TRUE(search) << search.error().message;
  const Result<void> searched = search->search(content, derived::v1::SOURCE_OUTPUT, [&](const FoundLine& line) {
    lines.emplace_back(line.time_ms, line.text);
    return true;
  });
  EXPECT_TRUE(searched) << searched.error().message;
  return lines;
}

TEST(Search, GivesEachLineThatMatchesWithItsTime) {
  const Content content = content_of({{5, "one fish"}, {900, "two"}, {40, "red fish"}, {41, ""}, {7000, "Fish"}});
  EXPECT_THAT(found(content, "fish"), ElementsAre(std::pair(5, "one fish"), std::pair(40, "red fish")));
  EXPECT_THAT(found(content, "^fish$", true), ElementsAre(std::pair(7000, "Fish")));
  EXPECT_THAT(found(content, "^$"), ElementsAre(std::pair(41, "")));
  EXPECT_THAT(found(content, "two|^red"), ElementsAre(std::pair(900, "two"), std::pair(40, "red fish")));
  EXPECT_THAT(found(content, "fish\\s*two|[^x]*zzz"), IsEmpty()) << "a line ends where it ends";
}

TEST(Search, RefusesWhatIsNoExpressionAndStandsBrokenColumns) {
  EXPECT_EQ(code_of(LineSearch::compile("(", false)), make_error_code(Errc::kInvalid));
  EXPECT_EQ(code_of(LineSearch::compile(std::string(5000, 'a'), false)), make_error_code(Errc::kInvalid));
  Content content = content_of({{5, "one fish"}, {900, "two fish"}});
  content.mutable_lines(0)->mutable_times_ms()->RemoveLast();
  const Result<LineSearch> search = LineSearch::compile("two", false);
  const auto use = [](const FoundLine&) { return true; };
  EXPECT_EQ(code_of(search->search(content, derived::v1::SOURCE_OUTPUT, use)), make_error_code(Errc::kCorrupt));
  EXPECT_TRUE(search->search(content, derived::v1::SOURCE_NETWORK, use)) << "nothing of this source";
}

}  // namespace
}  // namespace cairn::recorder
