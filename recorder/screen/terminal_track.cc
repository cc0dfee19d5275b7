#include "recorder/screen/terminal_track.h"

#include <utility>

#include "proto/screen.pb.h"

namespace cairn::recorder {

std::string TerminalTrack::feed(const Event& event) {
  if (event.kind_case() == Event::kChannelOpened) {
    const auto& opened = event.channel_opened();
    if (!channel_ && opened.has_pty()) channel_ = opened.channel();
    if (channel_ != opened.channel()) return {};
    has_terminal_ = opened.has_pty();
    if (opened.has_pty()) screen_.resize(opened.columns(), opened.rows());
  } else if (event.kind_case() == Event::kResize) {
    if (channel_ == event.resize().channel()) screen_.resize(event.resize().columns(), event.resize().rows());
  } else if (event.kind_case() == Event::kOutput) {
    const auto& output = event.output();
    if (!channel_) channel_ = output.channel();
    if (channel_ == output.channel()) return show(output);
  }
  return {};
}

std::string TerminalTrack::show(const recording::v1::TerminalOutput& output) {
  TerminalFilter& filter = output.stream() == recording::v1::STREAM_STDERR ? errors_ : output_;
  std::string text = filter.filter(output.data());
  if (!has_terminal_) {
    // Who writes to a pipe ends lines with a line feed alone.
    std::string returned;
    for (const char c : text) {
      if (c == '\n') returned += '\r';
      returned += c;
    }
    text = std::move(returned);
  }
  screen_.feed(text);
  return text;
}

std::string TerminalTrack::save() const {
  screen::v1::SavedTrack saved;
  saved.set_has_channel(channel_.has_value());
  saved.set_channel(channel_.value_or(0));
  saved.set_has_terminal(has_terminal_);
  output_.save(*saved.mutable_output());
  errors_.save(*saved.mutable_errors());
  saved.set_screen(screen_.save());
  return saved.SerializeAsString();
}

Result<TerminalTrack> TerminalTrack::restore(std::string_view bytes) {
  screen::v1::SavedTrack saved;
  TerminalTrack track;
  if (!saved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !track.output_.restore(saved.output()) ||
      !track.errors_.restore(saved.errors())) {
    return fail(Errc::kCorrupt, "a saved terminal that cannot be read");
  }
  Result<Screen> screen = Screen::restore(saved.screen());
  if (!screen) return fail(screen);
  track.screen_ = std::move(*screen);
  track.has_terminal_ = saved.has_terminal();
  if (saved.has_channel()) track.channel_ = saved.channel();
  return track;
}

}  // namespace cairn::recorder
