#include "cli/player/terminal_stage.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "cli/print/json.h"
#include "recorder/terminal_filter.h"

namespace cairn::cli {
namespace {

// What the player's keys send, on every terminal that OpenSSH or a console gives us (both cursor key modes).
struct Sequence {
  std::string_view bytes;
  Key key;
};
constexpr std::array kSequences{
    Sequence{" ", Key::kPause},
    Sequence{"q", Key::kQuit},
    Sequence{"Q", Key::kQuit},
    Sequence{"n", Key::kNextCommand},
    Sequence{"p", Key::kPreviousCommand},
    Sequence{"+", Key::kFaster},
    Sequence{"=", Key::kFaster},
    Sequence{"-", Key::kSlower},
    Sequence{"\x1b[C", Key::kForward},
    Sequence{"\x1bOC", Key::kForward},
    Sequence{"\x1b[D", Key::kBack},
    Sequence{"\x1bOD", Key::kBack},
};

timespec to_timespec(nanoseconds wait) {
  return {.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000),
          .tv_nsec = static_cast<long>(wait.count() % 1'000'000'000)};
}

}  // namespace

Result<TerminalStage> TerminalStage::open(Keys keys) {
  if (keys == Keys::kNone) return TerminalStage(std::nullopt);
  Result<TerminalModes> modes =
      TerminalModes::take(STDIN_FILENO, TerminalModes::Kind::kKeys, recorder::TerminalFilter::reset_sequence().data());
  if (!modes) return fail(modes);
  return TerminalStage(std::move(*modes));
}

nanoseconds TerminalStage::now() const { return std::chrono::steady_clock::now().time_since_epoch(); }

std::optional<Key> TerminalStage::wait(std::optional<nanoseconds> wait) {
  const nanoseconds deadline = now() + wait.value_or(nanoseconds(0));
  for (;;) {
    const nanoseconds left = std::max(deadline - now(), nanoseconds(0));
    if (!modes_ && left == nanoseconds(0)) return std::nullopt;
    pollfd input{.fd = modes_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    const timespec timeout = to_timespec(left);
    const int ready = ::ppoll(&input, 1, wait ? &timeout : nullptr, nullptr);
    if (ready > 0) {
      if (const std::optional<Key> key = read_key()) return key;
    } else if (wait && now() >= deadline) {
      return std::nullopt;
    }
  }
}

// One read takes what one key has sent; an unknown one is no key. A terminal that has gone ends the playback.
std::optional<Key> TerminalStage::read_key() {
  std::array<char, 16> typed{};
  const ssize_t got = ::read(STDIN_FILENO, typed.data(), typed.size());
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return Key::kQuit;
  if (got < 0) return std::nullopt;
  const std::string_view bytes(typed.data(), static_cast<size_t>(got));
  for (const Sequence& sequence : kSequences) {
    if (bytes.starts_with(sequence.bytes)) return sequence.key;
  }
  return std::nullopt;
}

Result<void> TerminalStage::write(std::string_view bytes) { return print_text(bytes); }

}  // namespace cairn::cli
