#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/derived.pb.h"
#include "recorder/chunk.h"
#include "recorder/derive/command_track.h"
#include "recorder/derive/visible_lines.h"
#include "recorder/screen/terminal_track.h"

namespace cairn::recorder {

constexpr size_t kSources = 4;  // of derived.v1.Source

// Goes through a recording's events once and says what is to be found where: the text that was seen, the commands, and
// all state between two events, so that it can go on later where it stopped. One thread at a time.
class Deriver {
 public:
  // Terminals of channels beyond these are not followed.
  static constexpr size_t kMaxChannels = 64;
  // Of lines of the kernel's between two take()s.
  static constexpr size_t kMaxKernelBytes = size_t{16} << 20;

  Deriver() = default;
  //   fails  kCorrupt: no state that save() gave
  static Result<Deriver> restore(std::string_view state);

  // In the order of the file.
  void feed(const Event& event);
  // What the events since the last call brought.
  derived::v1::Content take();
  // Takes what stands on the screens as seen: nothing more is to come for now.
  void settle();

  std::string save() const;
  uint64_t last_boot_ns() const { return last_boot_ns_; }

 private:
  struct Channel {
    explicit Channel(uint32_t number) : track(number) {}
    TerminalTrack track;
    VisibleLines lines;
    uint64_t now = 0;      // of the event that is being fed
    uint64_t command = 0;  // that runs
    uint64_t looked_boot_ns = 0;
    uint64_t changed_boot_ns = 0;
    bool is_changed = false;
  };

  Channel* channel_of(uint32_t number);
  static void watch(Channel& channel);
  static void look(Channel& channel, uint64_t boot_ns);
  void feed_terminal(const Event& event, uint32_t number);
  void add_kernel_line(const Event& event);
  void learn_channels(const Event& event);

  std::map<uint32_t, std::unique_ptr<Channel>> channels_;
  std::optional<uint32_t> primary_;
  CommandTrack commands_;
  std::vector<derived::v1::Command> running_before_;   // at the last take()
  std::array<std::vector<SeenLine>, kSources> lines_;  // of the kernel's; a terminal's are with its channel
  std::array<std::set<std::string, std::less<>>, kSources> known_;  // files and peers are named once for each command
  std::map<uint32_t, Event> open_channels_;
  size_t kernel_bytes_ = 0;  // in lines_
  uint64_t lost_ = 0;        // lines that found no room
  uint64_t now_ = 0;
  uint64_t begin_boot_ns_ = 0;
  uint64_t last_boot_ns_ = 0;
};

// The state's screens and channels, as who plays needs them.
struct Keyframe {
  TerminalTrack track;
  Events open_channels;  // ChannelOpened of each channel that was open
};
//   fails  kCorrupt: no state of a Deriver
Result<Keyframe> read_keyframe(std::string_view state);
// As much of a state as read_keyframe() reads.
//   fails  kCorrupt: no state of a Deriver
Result<std::string> strip_to_keyframe(std::string_view state);

}  // namespace cairn::recorder
