// Pages are made in a process that can do nothing else, and whatever it hands over, none of it is markup.
#include "recorder/html/page_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "recorder/html/html_export.h"
#include "recorder/tests/test_recording.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kPage = "<body><!-- data --></body>";

std::vector<Event> hostile_events() {
  Event opened;
  opened.set_boot_ns(kStartNs);
  opened.mutable_channel_opened()->set_has_pty(true);
  opened.mutable_channel_opened()->set_columns(80);
  opened.mutable_channel_opened()->set_rows(24);
  std::vector<Event> events = {opened};
  for (uint64_t i = 1; i <= 200; ++i) {
    events.push_back(make_output(kStartNs + i * 40 * kMs, "</script>\x1b]0;title\x07\x1b[3" + std::to_string(i % 8) +
                                                              "mline " + std::to_string(i) + "\xff\r\n"));
    events.push_back(make_exec(kStartNs + i * 40 * kMs, i, "/usr/bin/</script>"));
  }
  return events;
}

Result<PageParts> made_in_process(const std::vector<Event>& events, PageRequest request = {}) {
  Result<PageProcess> page = PageProcess::start(std::move(request));
  if (!page) return fail(page);
  for (const Event& event : events) {
    if (Result<void> added = page->add(event); !added) return fail(added);
  }
  return page->finish();
}

TEST(PageProcess, MakesWhatIsMadeWithoutIt) {
  HtmlExport here;
  for (const Event& event : hostile_events()) ASSERT_TRUE(here.add(event));
  const Result<PageParts> there = made_in_process(hostile_events());
  ASSERT_TRUE(there) << there.error().message;
  EXPECT_EQ(encode_parts(*there), encode_parts(here.finish()));
  EXPECT_EQ(assemble_page(kPage, "{}", *there)->find("line 1"), std::string::npos);
}

// What the kernel says of our only child.
std::string status_of_child() {
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = 0;
  children >> child;
  std::ifstream status("/proc/" + std::to_string(child) + "/status");
  return {std::istreambuf_iterator<char>(status), {}};
}

TEST(PageProcess, IsShutInBeforeItSeesTheFirstEvent) {
  if (!std::filesystem::exists("/proc/self/task/" + std::to_string(::getpid()) + "/children"))
    GTEST_SKIP() << "the kernel has no CONFIG_PROC_CHILDREN";
  Result<PageProcess> page = PageProcess::start({});
  ASSERT_TRUE(page);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string status;
  do {
    status = status_of_child();
  } while (status.find("Seccomp:\t2") == std::string::npos && std::chrono::steady_clock::now() < deadline);
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos) << status;
  EXPECT_TRUE(page->add(make_output(kStartNs, "x")));
  EXPECT_TRUE(page->finish());
}

TEST(PageProcess, ShowsTheChannelThatItIsAskedFor) {
  const Result<PageParts> first = made_in_process(hostile_events());
  const Result<PageParts> other = made_in_process(hostile_events(), {.channel = 7});
  ASSERT_TRUE(first && other);
  EXPECT_NE(first->index, other->index);
}

TEST(PageProcess, PassesOnWhyItRefuses) {
  const std::vector<Event> events(66, make_output(kStartNs, std::string(size_t{1} << 20, 'x')));
  const Result<PageParts> refused = made_in_process(events);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kTooLarge);
  EXPECT_NE(refused.error().message.find("64 MiB"), std::string::npos) << refused.error().message;
}

TEST(PageProcess, ThatDiesTakesNothingWithIt) {
  PageRequest request;
  request.limits.file_bytes = 100;
  const Result<PageParts> ended = made_in_process(hostile_events(), std::move(request));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::kUnavailable) << ended.error().message;
  EXPECT_NE(ended.error().message.find("making the page"), std::string::npos) << ended.error().message;
}

TEST(PageProcess, ThatHandsOverNothingMakesNoPage) {
  for (const char* somebody_else : {"/bin/true", "/bin/cat"}) {
    const Result<PageParts> made = made_in_process(hostile_events(), {.program = somebody_else});
    EXPECT_FALSE(made) << somebody_else;
  }
}

TEST(PageParts, AreTheSameBackAgain) {
  const PageParts parts{.index = "AA==", .events = "", .lines = "BB", .segments = {"CC", ""}};
  const std::string bytes = encode_parts(parts);
  const Result<PageParts> back = decode_parts(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode_parts(*back), bytes);
  EXPECT_EQ(back->segments.size(), 2u);
  for (size_t cut = 0; cut < bytes.size() - 8; ++cut) {
    EXPECT_FALSE(decode_parts(bytes.substr(0, cut))) << cut;
  }
  EXPECT_FALSE(decode_parts(std::string(8, '\xff') + "x"));
}

TEST(PageParts, ThatCouldBecomeMarkupMakeNoPage) {
  const PageParts good{.index = "AA==", .events = "AA", .lines = "AA", .segments = {"AA", "AA"}};
  EXPECT_TRUE(assemble_page(kPage, "{}", good));
  for (const char* hostile : {"</script>", "<!--", "AA<", "AA\n", "\"", "&lt;", "\xc3\xa4"}) {
    for (std::string PageParts::* part : {&PageParts::index, &PageParts::events, &PageParts::lines}) {
      PageParts bad = good;
      bad.*part = hostile;
      EXPECT_EQ(code_of(assemble_page(kPage, "{}", bad)), Errc::kCorrupt) << hostile;
    }
    PageParts bad = good;
    bad.segments.back() = hostile;
    EXPECT_EQ(code_of(assemble_page(kPage, "{}", bad)), Errc::kCorrupt) << hostile;
  }
}

}  // namespace
}  // namespace cairn::recorder
