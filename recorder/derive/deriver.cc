#include "recorder/derive/deriver.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "recorder/text.h"

namespace cairn::recorder {
namespace {

using derived::v1::Content;
using derived::v1::Lines;
using derived::v1::State;

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr size_t kMaxLineTextBytes = 1024;

std::optional<derived::v1::Source> source_of(Event::KindCase kind) {
  switch (kind) {
    case Event::kExec: return derived::v1::SOURCE_COMMANDS;
    case Event::kOpen:
    case Event::kChange:
    case Event::kFolded: return derived::v1::SOURCE_FILES;
    case Event::kConnect:
    case Event::kSocket:
    case Event::kForward: return derived::v1::SOURCE_NETWORK;
    default: return std::nullopt;
  }
}

void add_lines(std::vector<SeenLine> seen, uint64_t begin_boot_ns, Lines& into, int64_t& last_ms,
               int64_t& last_command) {
  for (SeenLine& line : seen) {
    const auto ms = static_cast<int64_t>((line.boot_ns - std::min(line.boot_ns, begin_boot_ns)) / kNsPerMs);
    const auto command = static_cast<int64_t>(line.command);
    into.mutable_text()->append(line.text);
    into.mutable_text()->push_back('\n');
    into.add_times_ms(ms - std::exchange(last_ms, ms));
    into.add_commands(command - std::exchange(last_command, command));
  }
}

Result<State> parse_state(std::string_view bytes) {
  State state;
  if (!state.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Errc::kCorrupt, "a derived state that cannot be read");
  return state;
}

}  // namespace

Deriver::Channel* Deriver::channel_of(uint32_t number) {
  const auto found = channels_.find(number);
  if (found != channels_.end()) return found->second.get();
  if (channels_.size() >= kMaxChannels) return nullptr;
  std::unique_ptr<Channel>& made = channels_[number];
  made = std::make_unique<Channel>(number);
  watch(*made);
  return made.get();
}

// The channel stays where it is while the deriver may be moved.
void Deriver::watch(Channel& channel) {
  channel.track.screen().watch({
      .scrolled = [&channel](const Row& row) { channel.lines.scroll(row, channel.now, channel.command); },
      .replaced =
          [&channel] {
            if (channel.is_changed) look(channel, channel.now);
          },
  });
}

void Deriver::look(Channel& channel, uint64_t boot_ns) {
  channel.lines.look(channel.track.screen(), boot_ns, channel.command);
  channel.looked_boot_ns = boot_ns;
  channel.is_changed = false;
}

void Deriver::settle() {
  for (auto& [number, channel] : channels_) {
    if (channel->is_changed) look(*channel, channel->changed_boot_ns);
  }
}

void Deriver::feed_terminal(const Event& event, uint32_t number) {
  Channel* channel = channel_of(number);
  if (channel == nullptr) return;
  channel->now = now_;
  if (channel->is_changed && now_ - std::min(now_, channel->changed_boot_ns) >= kSettledNs) {
    look(*channel, channel->changed_boot_ns);
  } else if (channel->is_changed && now_ - std::min(now_, channel->looked_boot_ns) >= kLookNs) {
    look(*channel, now_);
  }
  channel->command = commands_.current();
  if (event.has_output()) {
    // What comes in one event with "erase all" has been written before it.
    channel->is_changed = true;
    channel->changed_boot_ns = now_;
  }
  channel->track.feed(event);
  if (event.has_output()) channel->is_changed = true;
}

// The first that has a terminal, or else output: as TerminalTrack chooses.
void Deriver::learn_channels(const Event& event) {
  if (event.has_channel_opened()) {
    const auto& opened = event.channel_opened();
    if (!primary_ && opened.has_pty()) primary_ = opened.channel();
    if (open_channels_.size() < kMaxChannels) open_channels_[opened.channel()] = event;
  } else if (event.has_channel_closed()) {
    open_channels_.erase(event.channel_closed().channel());
  } else if (event.has_output() && !primary_) {
    primary_ = event.output().channel();
  }
}

// A path that one command opens a thousand times is one line.
void Deriver::add_kernel_line(const Event& event) {
  const std::optional<derived::v1::Source> source = source_of(event.kind_case());
  if (!source) return;
  std::string text = event.has_exec() ? command_line_of(event.exec(), kMaxLineTextBytes) : describe(event);
  std::ranges::replace(text, '\n', ' ');
  text.resize(std::min(text.size(), kMaxLineTextBytes));
  if (!event.has_exec() && !known_[*source].insert(fmt::format("{} {}", commands_.current(), text)).second) return;
  if (kernel_bytes_ > kMaxKernelBytes) {
    ++lost_;
    return;
  }
  kernel_bytes_ += text.size() + sizeof(SeenLine);
  lines_[*source].push_back({.boot_ns = event.boot_ns(), .command = commands_.current(), .text = std::move(text)});
}

void Deriver::feed(const Event& event) {
  if (event.has_begin()) begin_boot_ns_ = event.boot_ns();
  now_ = event.boot_ns();
  if (!event.late()) last_boot_ns_ = std::max(last_boot_ns_, now_);
  learn_channels(event);
  commands_.feed(event);
  if (event.has_output()) feed_terminal(event, event.output().channel());
  if (event.has_resize()) feed_terminal(event, event.resize().channel());
  if (event.has_channel_opened()) feed_terminal(event, event.channel_opened().channel());
  add_kernel_line(event);
  if (event.has_end()) settle();
}

Content Deriver::take() {
  Content content;
  for (size_t source = 0; source < kSources; ++source) {
    Lines& into = *content.add_lines();
    int64_t last_ms = 0;
    int64_t last_command = 0;
    add_lines(std::exchange(lines_[source], {}), begin_boot_ns_, into, last_ms, last_command);
    known_[source].clear();
    if (source != derived::v1::SOURCE_OUTPUT) continue;
    for (auto& [number, channel] : channels_) {
      add_lines(channel->lines.take(), begin_boot_ns_, into, last_ms, last_command);
      lost_ += channel->lines.take_lost();
    }
  }
  content.set_lost_lines(std::exchange(lost_, 0));
  kernel_bytes_ = 0;
  for (derived::v1::Command& each : commands_.take_started()) *content.add_started() = std::move(each);
  for (const derived::v1::Command& each : running_before_) *content.add_running() = each;
  running_before_.assign(commands_.running().begin(), commands_.running().end());
  return content;
}

std::string Deriver::save() const {
  State state;
  for (const auto& [number, channel] : channels_) {
    derived::v1::Channel& into = *state.add_channels();
    into.set_channel(number);
    into.set_track(channel->track.save());
    channel->lines.save(into);
    into.set_looked_boot_ns(channel->looked_boot_ns);
    into.set_changed_boot_ns(channel->changed_boot_ns);
    into.set_is_changed(channel->is_changed);
  }
  state.set_has_primary(primary_.has_value());
  state.set_primary(primary_.value_or(0));
  state.set_begin_boot_ns(begin_boot_ns_);
  state.set_last_boot_ns(last_boot_ns_);
  commands_.save(state);
  for (const auto& [number, opened] : open_channels_) *state.add_open_channels() = opened;
  return state.SerializeAsString();
}

Result<Deriver> Deriver::restore(std::string_view bytes) {
  const Result<State> parsed = parse_state(bytes);
  if (!parsed) return fail(parsed);
  const State& state = *parsed;
  Deriver deriver;
  for (const derived::v1::Channel& from : state.channels()) {
    Channel* channel = deriver.channel_of(from.channel());
    if (channel == nullptr) break;
    Result<TerminalTrack> track = TerminalTrack::restore(from.track());
    if (!track) return fail(track);
    channel->track = std::move(*track);
    watch(*channel);
    channel->lines.restore(from);
    channel->command = state.running().empty() ? 0 : state.running().rbegin()->number();
    channel->looked_boot_ns = from.looked_boot_ns();
    channel->changed_boot_ns = from.changed_boot_ns();
    channel->is_changed = from.is_changed();
  }
  if (state.has_primary()) deriver.primary_ = state.primary();
  deriver.begin_boot_ns_ = state.begin_boot_ns();
  deriver.last_boot_ns_ = state.last_boot_ns();
  deriver.commands_.restore(state);
  deriver.running_before_.assign(deriver.commands_.running().begin(), deriver.commands_.running().end());
  for (const Event& opened : state.open_channels()) {
    if (deriver.open_channels_.size() < kMaxChannels)
      deriver.open_channels_[opened.channel_opened().channel()] = opened;
  }
  return deriver;
}

Result<Keyframe> read_keyframe(std::string_view bytes) {
  const Result<State> state = parse_state(bytes);
  if (!state) return fail(state);
  Keyframe keyframe;
  for (const Event& opened : state->open_channels()) keyframe.open_channels.push_back(opened);
  for (const derived::v1::Channel& from : state->channels()) {
    if (!state->has_primary() || from.channel() != state->primary()) continue;
    Result<TerminalTrack> track = TerminalTrack::restore(from.track());
    if (!track) return fail(track);
    keyframe.track = std::move(*track);
  }
  return keyframe;
}

Result<std::string> strip_to_keyframe(std::string_view bytes) {
  const Result<State> state = parse_state(bytes);
  if (!state) return fail(state);
  State stripped;
  stripped.set_has_primary(state->has_primary());
  stripped.set_primary(state->primary());
  *stripped.mutable_open_channels() = state->open_channels();
  for (const derived::v1::Channel& from : state->channels()) {
    if (!state->has_primary() || from.channel() != state->primary()) continue;
    derived::v1::Channel& into = *stripped.add_channels();
    into.set_channel(from.channel());
    into.set_track(from.track());
  }
  return stripped.SerializeAsString();
}

}  // namespace cairn::recorder
