#include "recorder/html/html_export.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

using nlohmann::json;

constexpr std::string_view kPage = "<body><!-- data --></body>";

Event opened(uint64_t boot_ns, uint32_t columns, uint32_t rows, uint32_t channel = 0) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_channel_opened()->set_channel(channel);
  event.mutable_channel_opened()->set_has_pty(true);
  event.mutable_channel_opened()->set_columns(columns);
  event.mutable_channel_opened()->set_rows(rows);
  return event;
}

Event resized(uint64_t boot_ns, uint32_t columns, uint32_t rows) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_resize()->set_columns(columns);
  event.mutable_resize()->set_rows(rows);
  return event;
}

Event executed(uint64_t boot_ns, uint32_t pid, uint32_t parent, const std::vector<std::string>& argv) {
  Event event = make_exec(boot_ns, pid, "/usr/bin/" + argv[0]);
  event.mutable_exec()->mutable_process()->set_pid(pid);
  event.mutable_exec()->mutable_process()->set_parent_pid(parent);
  for (const std::string& argument : argv) event.mutable_exec()->add_argv(argument);
  return event;
}

// What a browser finds in the element of this id.
json part(const std::string& file, const std::string& id) {
  const std::string begin = "id=\"" + id + "\">";
  const size_t from = file.find(begin);
  if (from == std::string::npos) return {};
  const size_t at = from + begin.size();
  const std::string packed = from_base64(file.substr(at, file.find('<', at) - at)).value();
  std::string text(size_t{64} << 20, '\0');
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  ::inflateEnd(&stream);
  return json::parse(text);
}

std::string exported(const std::vector<Event>& events) {
  HtmlExport made;
  for (const Event& event : events) EXPECT_TRUE(made.add(event));
  return assemble_page(kPage, "{}", made.finish()).value();
}

// A browser's terminal: it knows a reset and no side margins.
class Browser {
 public:
  Browser(uint32_t columns, uint32_t rows) : screen_(columns, rows) {}
  void write(const std::string& text) {
    ASSERT_EQ(text.find("69h"), std::string::npos);
    const bool is_reset = text.starts_with("\033c");
    if (is_reset) screen_ = Screen(screen_.columns(), screen_.rows());
    screen_.feed(std::string_view(text).substr(is_reset ? 2 : 0));
  }
  std::string drawing() const { return screen_.drawing(); }

 private:
  Screen screen_;
};

// What was to be seen after each event, by the times of the page.
struct Seen {
  uint64_t at_ms = 0;
  std::string drawing;
};

// Each segment shows alone, from its state on, what one shows that saw everything.
void expect_same(const std::string& file, const std::vector<Seen>& seen) {
  const json index = part(file, "index");
  size_t shown = 0;
  for (size_t number = 0; number < index["segments"].size(); ++number) {
    const json& about = index["segments"][number];
    const json segment = part(file, "segment-" + std::to_string(number));
    Browser browser(about[1], about[2]);
    browser.write(segment["state"]);
    uint64_t at_ms = about[0];
    for (size_t i = 0; i < segment["at"].size(); ++i) {
      at_ms += segment["at"][i].get<uint64_t>();
      browser.write(segment["text"][i]);
      const auto same_time = std::ranges::find(seen, at_ms, &Seen::at_ms);
      ASSERT_NE(same_time, seen.end()) << "segment " << number << " at " << at_ms;
      ASSERT_EQ(browser.drawing(), same_time->drawing) << "segment " << number << " at " << at_ms;
      ++shown;
    }
  }
  EXPECT_EQ(shown, seen.size());
}

TEST(HtmlExport, ShowsFromEachSegmentWhatATerminalShowsThatSawEverything) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {
      "text ",     "日本",       "\r\n",          "\x1b[31;1mred", "\x1b[0m",       "\x1b[5;9H",
      "\x1b[2;6r", "\x1b[r",     "\x1b[?1049h",   "\x1b[?1049l",   "\x1b[?69h",     "\x1b[?7;69h\x1b[4;20s",
      "\x1b[?69l", "\0337",      "\0338",         "\x1b[2J",       "\x1b]0;t\x07x", "\x1b[2L",
      "\x1b[3M",   "\x1bM\x1bM", "\n\n\n\n\n\nx", "\x1b[4P",       "\x1b(0lqk",     "\x1b(B"};
  std::vector<Event> events = {opened(kStartNs, 40, 10)};
  std::vector<Seen> seen;
  TerminalTrack track;
  track.feed(events[0]);
  for (uint64_t step = 1; step < 600; ++step) {
    const uint64_t boot_ns = kStartNs + step * 7 * kMs;
    std::string text;
    for (unsigned i = 0; i < 4; ++i) text += pieces[random() % pieces.size()];
    // So that segments end by their size too.
    if (step % 60 == 30) text = "\x1b[?69l";
    if (step % 60 == 31) text.assign(TerminalSegments::kSegmentBytes, static_cast<char>('a' + step % 26));
    // A wrap that is due in the middle of a row is not kept; see Screen::state_text().
    text += "\r";
    events.push_back(step % 50 == 0 ? resized(boot_ns, 20 + random() % 60, 5 + random() % 20)
                                    : make_output(boot_ns, text));
    const bool has_drawn = !track.feed(events.back()).empty();
    if (has_drawn) seen.push_back({.at_ms = step * 7, .drawing = track.screen().drawing()});
  }
  const std::string file = exported(events);
  EXPECT_GT(part(file, "index")["segments"].size(), 15U);
  expect_same(file, seen);
}

TEST(HtmlExport, LetsNoByteOfTheRecordingStandInThePage) {
  const std::string hostile = "</script><script>evil()</script>--><img src=x onerror=evil()>\xe2\x80\xa8]]>";
  std::vector<Event> events = {opened(kStartNs, 80, 24), make_output(kStartNs + kMs, hostile),
                               executed(kStartNs + 2 * kMs, 7, 1, {"sh", "-c", hostile})};
  HtmlExport made;
  for (const Event& event : events) EXPECT_TRUE(made.add(event));
  const std::string file = assemble_page(kPage, json({{"title", hostile}}).dump(), made.finish()).value();
  EXPECT_EQ(file.find("evil"), std::string::npos);
  EXPECT_EQ(file.find("onerror"), std::string::npos);
  EXPECT_EQ(part(file, "about")["title"], hostile);
  EXPECT_EQ(part(file, "segment-0")["text"][0], hostile);
  for (const char c : file) EXPECT_TRUE((c >= ' ' && c <= '~') || c == '\n') << static_cast<int>(c);
}

TEST(HtmlExport, PassesOnNothingThatActsOnATerminal) {
  const std::string file = exported({opened(kStartNs, 80, 24), make_output(kStartNs + kMs,
                                                                           "\x1b]52;c;c3RvbGVu\x07"
                                                                           "a\x1b]0;title\x07"
                                                                           "b\x1b[6nc\x1bP+q544e\x1b\\d")});
  EXPECT_EQ(part(file, "segment-0")["text"], json({"abcd"}));
}

TEST(HtmlExport, FindsLinesAsTheyWereRead) {
  std::vector<Event> events = {opened(kStartNs, 20, 3)};
  uint64_t at = kStartNs;
  for (const char c : std::string("$ make")) events.push_back(make_output(at += 100 * kMs, std::string(1, c)));
  events.push_back(make_output(at += 100 * kMs, "\r\na line that is too long for one row\r\n"));
  for (int i = 0; i < 50; ++i) events.push_back(make_output(at += kMs, "flies by " + std::to_string(i) + "\r\n"));
  const std::string file = exported(events);
  const std::vector<std::string> lines = part(file, "lines")["text"];
  EXPECT_EQ(std::ranges::count(lines, "$ make"), 1);
  EXPECT_EQ(std::ranges::count(lines, "$ mak"), 0);
  EXPECT_EQ(std::ranges::count(lines, "a line that is too long for one row"), 1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(std::ranges::count(lines, "flies by " + std::to_string(i)), 1) << i;
}

TEST(HtmlExport, TellsCommandsFromProgramsAndLibrariesFromTampering) {
  Event library;
  library.set_boot_ns(kStartNs + 3 * kMs);
  library.mutable_tamper()->set_kind(recording::v1::TAMPER_KIND_MAP_EXEC);
  library.mutable_tamper()->mutable_file()->set_path("/lib/libc.so.6");
  Event anonymous = library;
  anonymous.mutable_tamper()->clear_file();
  Event gap;
  gap.set_boot_ns(kStartNs + 4 * kMs);
  gap.mutable_gap()->set_count(3);
  const std::string file = exported({opened(kStartNs, 80, 24), executed(kStartNs + kMs, 7, 1, {"bash"}),
                                     executed(kStartNs + 2 * kMs, 8, 7, {"make", "all it"}),
                                     executed(kStartNs + 3 * kMs, 9, 8, {"cc", "-c"}), library, anonymous, gap});
  const json events = part(file, "events");
  EXPECT_EQ(events["kind"], "spcprtg");
  EXPECT_EQ(events["text"][2], "make \"all it\"");
  EXPECT_EQ(events["at"], json({0, 1, 1, 1, 0, 0, 1}));
}

TEST(HtmlExport, SaysHowMuchOfOtherChannelsItHides) {
  Event subsystem;
  subsystem.set_boot_ns(kStartNs);
  subsystem.mutable_channel_opened()->set_channel(1);
  subsystem.mutable_channel_opened()->set_type(recording::v1::CHANNEL_TYPE_SUBSYSTEM);
  const std::string file =
      exported({subsystem, opened(kStartNs, 80, 24), make_output(kStartNs + kMs, "shown"),
                make_output(kStartNs + kMs, "protocol", 1), make_output(kStartNs + kMs, "two", 2)});
  EXPECT_EQ(part(file, "index")["hidden_bytes"], 11);
  EXPECT_EQ(part(file, "segment-0")["text"], json({"shown"}));
}

TEST(HtmlExport, RefusesWhatNoBrowserWouldHold) {
  HtmlExport made;
  EXPECT_TRUE(made.add(opened(kStartNs, 80, 24)));
  const std::string mebibyte(size_t{1} << 20, 'x');
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(made.add(make_output(kStartNs + kMs, mebibyte))) << i;
  const Result<void> refused = made.add(make_output(kStartNs + kMs, mebibyte));
  EXPECT_EQ(code_of(refused), Errc::kTooLarge);
  EXPECT_NE(refused.error().message.find("64 MiB"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace cairn::recorder
