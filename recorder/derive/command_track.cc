#include "recorder/derive/command_track.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/log.h"

namespace cairn::recorder {
namespace {

using derived::v1::Command;

constexpr std::array<std::string_view, 10> kShells = {"bash", "sh",   "dash", "zsh", "fish",
                                                      "ksh",  "mksh", "tcsh", "csh", "ash"};

// One that reads commands from its terminal: neither -c nor a script.
bool is_interactive_shell(const recording::v1::Exec& exec) {
  const std::string_view path = exec.executable().path();
  if (exec.script() || std::ranges::find(kShells, path.substr(path.rfind('/') + 1)) == kShells.end()) return false;
  for (int i = 1; i < exec.argv_size(); ++i) {
    const std::string_view argument = exec.argv(i);
    if (!argument.starts_with('-')) return false;
    if (!argument.starts_with("--") && argument.find('c') != std::string_view::npos) return false;
  }
  return true;
}

// A command line has blanks, and quotes of its own.
std::string as_typed(const std::string& line) {
  const bool is_plain = std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 0x7f; });
  return is_plain ? line : quoted_if_needed(line);
}

}  // namespace

std::string command_line_of(const recording::v1::Exec& exec, size_t limit) {
  std::string text;
  for (const std::string& argument : exec.argv()) {
    if (text.size() >= limit) break;
    if (!text.empty()) text += ' ';
    text += quoted_if_needed(std::string_view(argument).substr(0, limit));
  }
  if (text.empty()) text = quoted_if_needed(std::string_view(exec.filename()).substr(0, limit));
  text.resize(std::min(text.size(), limit));
  return text;
}

void CommandTrack::start(Command command) {
  command.set_number(++count_);
  started_.push_back(command);
  running_.push_back(std::move(command));
  if (running_.size() > kMaxRunning) running_.pop_front();
}

void CommandTrack::end(uint32_t pid, uint64_t start_boot_ns, bool is_channel) {
  std::erase_if(running_, [&](const Command& each) {
    return each.pid() == pid && each.start_boot_ns() == start_boot_ns && each.is_channel() == is_channel;
  });
}

void CommandTrack::exec(const Event& event) {
  const auto& exec = event.exec();
  if (exec.result() != 0) return;
  const auto& process = exec.process();
  const Task self(process.pid(), process.start_boot_ns());
  const Task parent(process.parent_pid(), exec.parent_start_boot_ns());
  const bool is_running = std::ranges::any_of(running_, [&](const Command& each) {
    return !each.is_channel() && each.pid() == self.first && each.start_boot_ns() == self.second;
  });
  if (!is_running && std::ranges::find(shells_, parent) != shells_.end()) {
    Command command;
    command.set_boot_ns(event.boot_ns());
    command.set_pid(self.first);
    command.set_start_boot_ns(self.second);
    command.set_text(command_line_of(exec, kMaxTextBytes));
    start(std::move(command));
  }
  std::erase(shells_, self);
  if (!is_interactive_shell(exec)) return;
  shells_.push_back(self);
  if (shells_.size() > kMaxShells) shells_.pop_front();
}

void CommandTrack::feed(const Event& event) {
  if (event.has_exec()) {
    exec(event);
  } else if (event.has_process_exit()) {
    const auto& process = event.process_exit().process();
    end(process.pid(), process.start_boot_ns(), false);
    std::erase(shells_, Task(process.pid(), process.start_boot_ns()));
  } else if (event.has_channel_opened() && !event.channel_opened().command().empty()) {
    Command command;
    command.set_boot_ns(event.boot_ns());
    command.set_pid(event.channel_opened().channel());
    command.set_is_channel(true);
    command.set_text(as_typed(event.channel_opened().command()).substr(0, kMaxTextBytes));
    start(std::move(command));
  } else if (event.has_channel_closed()) {
    end(event.channel_closed().channel(), 0, true);
  }
}

void CommandTrack::save(derived::v1::State& into) const {
  into.set_commands(count_);
  for (const Command& each : running_) *into.add_running() = each;
  for (const auto& [pid, start_boot_ns] : shells_) {
    into.add_shells()->set_pid(pid);
    into.mutable_shells(into.shells_size() - 1)->set_start_boot_ns(start_boot_ns);
  }
}

void CommandTrack::restore(const derived::v1::State& from) {
  count_ = from.commands();
  for (const Command& each : from.running()) {
    if (running_.size() < kMaxRunning) running_.push_back(each);
  }
  for (const derived::v1::Shell& each : from.shells()) {
    if (shells_.size() < kMaxShells) shells_.emplace_back(each.pid(), each.start_boot_ns());
  }
}

}  // namespace cairn::recorder
