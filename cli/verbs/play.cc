#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/options.h"
#include "cli/player/auth_source.h"
#include "cli/player/file_source.h"
#include "cli/player/host_feed.h"
#include "cli/player/json_event.h"
#include "cli/player/late_feed.h"
#include "cli/player/player.h"
#include "cli/player/recording_feed.h"
#include "cli/player/terminal_stage.h"
#include "cli/player/transcript.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/verbs/ask.h"
#include "cli/verbs/host_ledger.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/time_point.h"
#include "cli/verbs/verbs.h"

namespace cairn::cli {
namespace {

struct Options {
  std::string recording;
  std::string speed;
  std::string max_idle = "2";
  std::string events = "inline";
  std::string identity;
  std::string from;
  std::string at;
  bool is_following = false;
  bool is_with_host = false;
};

Result<double> parse_positive(const std::string& text, const std::string& flag, double least, double most) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || !(value >= least && value <= most))
    return fail(Errc::kInvalid, fmt::format("{} {}: expected a number within {}..{}", flag, text, least, most));
  return value;
}

// Without --speed: as it was, for eyes; at once, for a pipe, and to catch up with a session that is followed.
Result<double> chosen_speed(const Options& options, bool is_terminal) {
  if (options.speed.empty()) return is_terminal && !options.is_following ? 1 : PlayClock::kNoWaiting;
  if (options.speed == "max") return PlayClock::kNoWaiting;
  return parse_positive(options.speed, "--speed", PlayClock::kSlowest, PlayClock::kFastest);
}

Result<PlayOptions> play_options(const Options& options, bool is_terminal) {
  PlayOptions chosen{.is_following = options.is_following};
  const Result<double> speed = chosen_speed(options, is_terminal);
  if (!speed) return fail(speed);
  chosen.speed = *speed;
  if (options.max_idle == "off") return chosen;
  const Result<double> idle_s = parse_positive(options.max_idle, "--max-idle", 0, 86400);
  if (!idle_s) return fail(idle_s);
  chosen.max_idle = nanoseconds(static_cast<int64_t>(*idle_s * 1e9));
  return chosen;
}

EventsMode events_mode(const Options& options) {
  if (options.events == "none") return EventsMode::kNone;
  return options.events == "only" ? EventsMode::kOnly : EventsMode::kInline;
}

bool is_wanted(EventsMode mode, const recording::v1::Event& event) {
  if (mode == EventsMode::kInline) return true;
  return event.has_output() == (mode == EventsMode::kNone);
}

Result<Player::Outcome> print_as_json(EventFeed& feed, EventsMode mode, bool is_following) {
  constexpr std::chrono::milliseconds kPoll{10'000};
  for (;;) {
    const Result<EventFeed::Step> step = feed.next(is_following ? kPoll : std::chrono::milliseconds(0));
    if (!step) return fail(step);
    if (step->state == EventFeed::State::kEnd) return Player::Outcome::kFinished;
    if (step->state == EventFeed::State::kWaiting && !is_following) return Player::Outcome::kStillLive;
    if (step->state == EventFeed::State::kWaiting || !is_wanted(mode, step->event)) continue;
    if (const Result<void> printed = print_text(json_line(event_to_json(step->event)) + "\n"); !printed)
      return fail(printed);
  }
}

Result<Player::Outcome> show(LateFeed& feed, const Options& options, const PlayOptions& play, bool is_terminal) {
  Result<TerminalStage> stage = TerminalStage::open(
      is_terminal && ::isatty(STDIN_FILENO) == 1 ? TerminalStage::Keys::kRead : TerminalStage::Keys::kNone);
  if (!stage) return fail(stage);
  Transcript transcript(events_mode(options), is_terminal);
  Player player(play, feed, transcript, *stage);
  return player.play();
}

// What the playback cannot show must be said, whatever --events says.
void report_gaps(const recorder::Summary& summary) {
  if (summary.gaps == 0) return;
  std::string sentence = fmt::format("the recording has {} gap{}:", summary.gaps, summary.gaps == 1 ? "" : "s");
  if (summary.kernel_missing > 0) sentence += fmt::format(" {} kernel events are missing;", summary.kernel_missing);
  if (summary.missing_output_bytes > 0)
    sentence += fmt::format(" {} of output are missing;", format_bytes(summary.missing_output_bytes));
  if (summary.missing_other_events > 0)
    sentence += fmt::format(" {} other events are missing;", summary.missing_other_events);
  print_warning(sentence + " \"cairn play --events=only\" shows where");
}

// A gap owns up to what is missing; a kernel event that neither a gap nor an event accounts for makes the whole
// recording doubtful. To be asked of a recording that has been read to its end.
int exit_code_of_whole(const recorder::Summary& summary, const std::string& name) {
  if (summary.is_accounted) return kExitOk;
  print_warning(
      fmt::format("{} does not account for all kernel events: {} issued, {} stored, {} in gaps; "
                  "\"cairn recordings verify\" says more",
                  name, summary.kernel_issued, summary.kernel_stored, summary.kernel_missing));
  return kExitIncomplete;
}

// The terminal as it was at one moment: drawn where there is a terminal, else as text.
Result<int> show_moment(LateFeed& feed, bool is_terminal) {
  if (const Result<void> there = feed.reach(); !there) return fail(there);
  const recorder::Screen& screen = feed.track().screen();
  if (is_terminal) {
    const Result<void> drawn = print_text(screen.drawing() + "\r\n");
    return drawn ? Result<int>(kExitOk) : Result<int>(fail(drawn));
  }
  std::string text;
  size_t written = 0;
  for (uint32_t row = 0; row < screen.rows(); ++row) {
    text += recorder::Screen::text_of(screen.row(row));
    if (text.size() > written) written = text.size() + 1;
    text += '\n';
  }
  text.resize(std::min(text.size(), written));
  const Result<void> printed = print_text(text);
  return printed ? Result<int>(kExitOk) : Result<int>(fail(printed));
}

Result<int> play(const Context& context, const Options& options) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const Result<PlayOptions> chosen = play_options(options, is_terminal);
  if (!chosen) return fail(chosen);
  const Reading reading{.purpose = options.is_following ? "follow" : "play"};
  Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, options.recording, reading, options.identity);
  if (!source) return fail(source);
  const Result<LocalDerivation> local = local_derivation(context);
  if (!local) return fail(local);
  RecordingFeed feed(std::move(*source), &*local);
  std::vector<recording::v1::Event> ledger;
  if (options.is_with_host) {
    Result<std::vector<recording::v1::Event>> found = host_ledger(context, feed);
    if (!found) return fail(found);
    ledger = *std::move(found);
  }
  const Result<uint64_t> from_ns = parse_position(options.from.empty() ? options.at : options.from);
  if (!from_ns) return fail(from_ns, options.from.empty() ? "--at" : "--from");
  HostFeed with_host(&feed, std::move(ledger));
  LateFeed whole(&with_host, *from_ns);
  if (!options.at.empty()) return show_moment(whole, is_terminal);
  const Result<Player::Outcome> outcome = context.is_json()
                                              ? print_as_json(whole, events_mode(options), options.is_following)
                                              : show(whole, options, *chosen, is_terminal);
  const recorder::Summary summary = feed.summary();
  report_gaps(summary);
  if (!outcome) return fail(outcome);
  // What was left out was not counted.
  if (*outcome == Player::Outcome::kFinished && feed.has_jumped()) return kExitOk;
  if (*outcome == Player::Outcome::kFinished) return exit_code_of_whole(summary, feed.source().name());
  if (*outcome == Player::Outcome::kStillLive)
    print_warning(fmt::format("{} is still live; this was all so far, --follow waits for more", feed.source().name()));
  return kExitOk;
}

}  // namespace

void add_play_verb(CLI::App& app, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(app, "play", "Play a recording, with what the kernel saw between the terminal's lines",
                            "cairn play 7c1e\n"
                            "cairn play 7c1e --follow\n"
                            "cairn play copied.rec --speed=4 --max-idle=0.5\n"
                            "cairn play 7c1e --from=12:30\n"
                            "cairn play 7c1e --at=12:30\n"
                            "cairn play 7c1e --format=json | jq -r 'select(.exec) | .exec.argv | join(\" \")'\n"
                            "\n"
                            "Keys on a terminal: space pause, left and right 5 s, n and p next and previous command,\n"
                            "+ and - speed, q quit.");
  verb->add_option("SESSION", options->recording, "a session's UUID, at least 4 characters of its beginning, or a file")
      ->required();
  verb->add_option("--speed", options->speed,
                   "0.1..100, or max: without waiting [1; max with --follow and when standard output is no terminal]");
  verb->add_option("--from", options->from,
                   "begin at this time of the recording: 90, 1:30, 5m; with the terminal as it was then");
  verb->add_option("--at", options->at, "show the terminal as it was at this time, and nothing else");
  verb->add_option("--max-idle,--idle", options->max_idle,
                   "seconds; longer spells with nothing to show are cut to it; off")
      ->capture_default_str();
  verb->add_option("--events", options->events, "none: the terminal alone; inline; only: the events alone")
      ->check(CLI::IsMember({"none", "inline", "only"}))
      ->capture_default_str();
  verb->add_flag("--follow", options->is_following, "of a live session: all so far at once, then go on with it");
  verb->add_flag(
      "--with-host", options->is_with_host,
      "what daemons of its node executed meanwhile (audit search --kind=host.exec), up to a minute behind its end");
  add_identity(verb, options->identity);
  add_format(verb, command);
  verb->callback(
      [&command, options] { command.run = [&command, options] { return play(command.context, *options); }; });
}

}  // namespace cairn::cli
