// Whether a jump shows what playing from the start shows, at random moments of a real recording.
//   seek_oracle FILE COUNT SEED FOLDER [IDENTITY]
// Records the events of FILE anew, in FOLDER, with a chunk for every few of them, so that jumps have many places to go
// to, and compares. Exit status 1 and a line for each moment that differs.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/player/file_source.h"
#include "cli/player/late_feed.h"
#include "cli/player/recording_feed.h"
#include "recorder/derive/derive_process.h"
#include "recorder/recording_writer.h"

using namespace cairn;
using namespace cairn::cli;

namespace {

constexpr std::chrono::milliseconds kNoWait{0};

template <class T> T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "seek_oracle: {}\n", result.error().message);
    std::exit(2);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

recorder::Unlock unlock_with(std::string identity) {
  return [identity = std::move(identity)](
             const recorder::Opening& opening) -> Result<std::shared_ptr<const recorder::RecordingKeys>> {
    const Result<std::string> text = read_private_file(identity, 1 << 16);
    if (!text) return fail(text);
    const Result<std::vector<recorder::Identity>> identities = recorder::parse_identities(*text);
    if (!identities) return fail(identities);
    Result<recorder::RecordingKeys> keys = recorder::open_secret(opening.sealed_secret(), *identities);
    if (!keys) return fail(keys);
    return std::make_shared<const recorder::RecordingKeys>(std::move(*keys));
  };
}

std::vector<recording::v1::Event> events_of(const std::string& file, const std::string& identity) {
  RecordingFeed feed(must(FileSource::open(file, unlock_with(identity))));
  std::vector<recording::v1::Event> events;
  for (;;) {
    EventFeed::Step step = must(feed.next(kNoWait));
    if (step.state != EventFeed::State::kEvent) return events;
    events.push_back(std::move(step.event));
  }
}

std::filesystem::path record_anew(const std::vector<recording::v1::Event>& events,
                                  const std::filesystem::path& folder) {
  const std::string id = random_uuid();
  const std::filesystem::path path = folder / (id + ".rec");
  recording::v1::Begin begin = events.front().begin();
  begin.set_session_id(id);
  recorder::RecordingOptions options;
  options.seal_raw_bytes = 256;
  auto writer = must(recorder::RecordingWriter::create(path, begin, events.front().boot_ns(), std::move(options)));
  uint64_t now = events.front().boot_ns();
  for (const recording::v1::Event& event : events) {
    if (event.has_begin() || event.has_end()) continue;
    now = std::max(now, event.boot_ns());
    writer.add(event);
    if (event.has_output()) must(writer.flush_all(now));
  }
  must(writer.seal(recording::v1::END_REASON_COMPLETE, 0, now));
  return path;
}

std::string screen_at(RecordingFeed& feed, uint64_t at_ns) {
  must(feed.rewind());
  LateFeed late(&feed, at_ns);
  for (;;) {
    const EventFeed::Step step = must(late.next(kNoWait));
    if (step.state != EventFeed::State::kEvent || step.event.has_output()) return late.track().save();
  }
}

int compare(const std::filesystem::path& path, size_t count, unsigned seed, const std::filesystem::path& cache) {
  const LocalDerivation local(cache);
  RecordingFeed jumping(must(FileSource::open(path, unlock_with(""))), &local);
  const std::vector<recording::v1::Event> events = events_of(path, "");
  const uint64_t begin = events.front().boot_ns();
  std::mt19937_64 random(seed);
  std::vector<uint64_t> moments;
  for (size_t i = 0; i < count; ++i)
    moments.push_back(1 + random() % (events.back().boot_ns() - begin + 1'000'000'000));
  std::ranges::sort(moments);
  recorder::TerminalTrack playing;
  size_t next = 0;
  size_t wrong = 0;
  for (const uint64_t moment : moments) {
    while (next < events.size() && (events[next].late() || events[next].boot_ns() < begin + moment))
      playing.feed(events[next++]);
    if (screen_at(jumping, moment) == playing.save()) continue;
    fmt::print("at {} ns the screens differ\n", moment);
    ++wrong;
  }
  fmt::print("{} moments, {} events, {} bytes, {} wrong\n", count, events.size(), std::filesystem::file_size(path),
             wrong);
  if (!jumping.has_jumped()) fmt::print("there was no jump\n");
  return wrong == 0 && jumping.has_jumped() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (recorder::is_derive_process(argc, argv)) return recorder::run_as_derive_process();
  if (argc < 5) return 2;
  const std::filesystem::path folder = argv[4];
  const std::vector<recording::v1::Event> events = events_of(argv[1], argc > 5 ? argv[5] : "");
  return compare(record_anew(events, folder), std::strtoull(argv[2], nullptr, 10),
                 static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10)), folder / "derived");
}
