#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/derived.pb.h"
#include "recorder/chunk.h"

namespace cairn::recorder {

// Which commands a session ran, and which one at each moment, as its events go by: what a shell started that somebody
// types into, and what a channel was opened for. What those start in turn is part of them. Without kernel events there
// are the channels' command lines alone. One thread at a time.
class CommandTrack {
 public:
  // Beyond these the oldest is forgotten: a recording may hold anything.
  static constexpr size_t kMaxRunning = 256;
  static constexpr size_t kMaxShells = 256;
  static constexpr size_t kMaxTextBytes = 512;

  void feed(const Event& event);

  // The number of the command that was started last of those that run; 0: none runs.
  uint64_t current() const { return running_.empty() ? 0 : running_.back().number(); }
  const std::deque<derived::v1::Command>& running() const { return running_; }
  // Since the last call.
  std::vector<derived::v1::Command> take_started() { return std::exchange(started_, {}); }

  void save(derived::v1::State& into) const;
  void restore(const derived::v1::State& from);

 private:
  using Task = std::pair<uint32_t, uint64_t>;  // pid, start

  void exec(const Event& event);
  void start(derived::v1::Command command);
  void end(uint32_t pid, uint64_t start_boot_ns, bool is_channel);

  uint64_t count_ = 0;
  std::deque<derived::v1::Command> running_;
  std::vector<derived::v1::Command> started_;
  std::deque<Task> shells_;
};

// A program's arguments as somebody would have typed them: quoted where a shell would need it, printable, cut to
// `limit` bytes.
std::string command_line_of(const recording::v1::Exec& exec, size_t limit);

}  // namespace cairn::recorder
