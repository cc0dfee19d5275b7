#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "cli/player/json_event.h"
#include "cli/player/late_feed.h"
#include "cli/player/recording_feed.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/verbs/export_html.h"
#include "cli/verbs/open_recording.h"
#include "cli/verbs/time_point.h"
#include "cli/verbs/verbs.h"
#include "recorder/export/screen_svg.h"
#include "recorder/export/terminal_export.h"

namespace cairn::cli {
namespace {

using recording::v1::Event;

struct ExportOptions {
  std::string recording;
  std::string form = "asciicast2";
  std::string output;
  std::string timing;
  std::string at;
  std::string identity;
  std::string trust;
  std::optional<uint32_t> channel;
  bool is_raw = false;
};

// A file that is made anew; without a name, standard output.
class Output {
 public:
  static Result<Output> open(const std::string& name) {
    Output output;
    if (name.empty() || name == "-") return output;
    output.file_ = UniqueFd(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!output.file_) return fail_errno(fmt::format("create {}", name));
    return output;
  }
  Result<void> write(std::string_view text) {
    if (text.empty()) return {};
    return file_ ? write_all(file_.get(), text) : print_text(text);
  }

 private:
  UniqueFd file_;
};

// Turns events into text; called with nullptr at the end.
using Converter = std::function<std::string(const Event*)>;

Converter terminal_converter(const ExportOptions& options, recorder::TerminalForm form, std::string& timing) {
  auto made = std::make_shared<recorder::TerminalExport>(
      recorder::TerminalExportOptions{.form = form, .is_raw = options.is_raw, .channel = options.channel});
  return [made, &timing](const Event* event) {
    std::string text = event == nullptr ? made->finish() : made->add(*event);
    timing += made->take_timing();
    return text;
  };
}

Result<Converter> converter_of(const ExportOptions& options, std::string& timing) {
  using recorder::TerminalForm;
  if (options.form == "asciicast2") return terminal_converter(options, TerminalForm::kAsciicast2, timing);
  if (options.form == "asciicast3") return terminal_converter(options, TerminalForm::kAsciicast3, timing);
  if (options.form == "typescript") return terminal_converter(options, TerminalForm::kTypescript, timing);
  if (options.form == "text") return terminal_converter(options, TerminalForm::kText, timing);
  return Converter(
      [](const Event* event) { return event == nullptr ? std::string() : json_line(event_to_json(*event)) + "\n"; });
}

Result<int> export_html(const Context& context, const ExportOptions& options) {
  Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, options.recording, {.purpose = "export", .form = options.form}, options.identity);
  if (!source) return fail(source);
  const Result<std::string> page = html_of(context, **source, options.trust, options.channel);
  if (!page) return fail(page);
  Result<Output> file = Output::open(options.output);
  const Result<void> written = file ? file->write(*page) : fail(file);
  return written ? Result<int>(kExitOk) : Result<int>(fail(written));
}

Result<int> export_picture(const Context& context, const ExportOptions& options) {
  const Result<uint64_t> at_ns = parse_position(options.at);
  if (!at_ns) return fail(at_ns, "--at");
  Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, options.recording, {.purpose = "export", .form = options.form}, options.identity);
  if (!source) return fail(source);
  const Result<LocalDerivation> local = local_derivation(context);
  if (!local) return fail(local);
  RecordingFeed feed(std::move(*source), &*local);
  LateFeed late(&feed, *at_ns);
  if (const Result<void> there = late.reach(); !there) return fail(there);
  Result<Output> file = Output::open(options.output);
  const Result<void> written = file ? file->write(recorder::svg_of(late.track().screen())) : fail(file);
  return written ? Result<int>(kExitOk) : Result<int>(fail(written));
}

Result<int> export_recording(const Context& context, const ExportOptions& options) {
  if (options.form == "html") return export_html(context, options);
  if (options.form == "svg") return export_picture(context, options);
  if (!options.at.empty()) return fail(Errc::kInvalid, "--at is for --as=svg, which shows one moment");
  if (!options.trust.empty()) return fail(Errc::kInvalid, "--trust is for --as=html, which verifies");
  if (options.form == "typescript" && options.timing.empty())
    return fail(Errc::kInvalid, "a typescript has its times in a file of their own: --timing FILE");
  Result<std::unique_ptr<RecordingSource>> source =
      open_recording(context, options.recording, {.purpose = "export", .form = options.form}, options.identity);
  if (!source) return fail(source);
  RecordingFeed feed(std::move(*source));
  std::string timing;
  const Result<Converter> convert = converter_of(options, timing);
  if (!convert) return fail(convert);
  Result<Output> file = Output::open(options.output);
  if (!file) return fail(file);
  Result<Output> times = options.timing.empty() ? Result<Output>(Output()) : Output::open(options.timing);
  if (!times) return fail(times);
  Result<EventFeed::Step> step = feed.next(std::chrono::milliseconds(0));
  for (; step && step->state == EventFeed::State::kEvent; step = feed.next(std::chrono::milliseconds(0))) {
    if (Result<void> written = file->write((*convert)(&step->event)); !written) return fail(written);
    if (Result<void> written = times->write(std::exchange(timing, {})); !written) return fail(written);
  }
  if (Result<void> written = file->write((*convert)(nullptr)); !written) return fail(written);
  // What is there is exported, and the exit status says that it is not all.
  if (!step) return fail(step);
  if (step->state == EventFeed::State::kWaiting)
    print_warning(feed.source().name() + " is still live; this was all so far");
  return kExitOk;
}

}  // namespace

void add_export_verb(CLI::App& recordings, Command& command) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* verb =
      add_verb(recordings, "export", "Write a recording in a form that other programs read",
               "cairn recordings export 7c1e --as=asciicast2 -o session.cast\n"
               "cairn recordings export 7c1e --as=html -o session.html\n"
               "cairn recordings export 7c1e --as=svg --at=12:30 -o moment.svg\n"
               "cairn recordings export 7c1e --as=typescript -o typescript --timing=timing\n"
               "cairn recordings export 7c1e --as=jsonl | jq -r 'select(.exec) | .exec.argv | join(\" \")'");
  verb->add_option("SESSION", options->recording, "a session's UUID, at least 4 characters of its beginning, or a file")
      ->required();
  verb->add_option(
          "--as", options->form,
          "asciicast2, asciicast3: for asciinema; typescript: for scriptreplay; text: the terminal's text; jsonl: "
          "every event as JSON, one in a line; html: one file that plays it in any browser without a network, with its "
          "events, a search, and what verifying it showed; svg: a picture of the terminal at one moment, --at")
      ->check(CLI::IsMember({"asciicast2", "asciicast3", "typescript", "text", "jsonl", "html", "svg"}))
      ->capture_default_str();
  verb->add_option("-o,--output", options->output, "file to write; without it standard output");
  verb->add_option("--timing", options->timing, "of a typescript: file of its times");
  verb->add_option("--at", options->at, "of svg: which moment: 90, 1:30, 5m");
  verb->add_option("--channel", options->channel, "which of the session's channels; without it the first terminal");
  verb->add_flag("--raw", options->is_raw,
                 "of a typescript: the very bytes, with sequences that make a terminal act or answer");
  verb->add_option("--trust", options->trust,
                   "of html: file of the cluster's public keys and revocations; without it auth is asked");
  add_identity(verb, options->identity);
  verb->callback([&command, options] {
    command.run = [&command, options] { return export_recording(command.context, *options); };
  });
}

}  // namespace cairn::cli
