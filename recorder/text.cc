#include "recorder/text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"
#include "recorder/kernel_text.h"

namespace cairn::recorder {
namespace {

using namespace recording::v1;

std::string_view reason_text(GapReason reason) {
  switch (reason) {
    case GAP_REASON_RING_FULL: return "the kernel's ring was full";
    case GAP_REASON_SPOOL_FULL: return "the spool was full";
    case GAP_REASON_UNREADABLE: return "a record was unreadable";
    case GAP_REASON_NOT_SEEN: return "the kernel's programs no longer saw them";
    case GAP_REASON_INTERRUPTED: return "the session's worker died";
    default: return "for an unknown reason";
  }
}

std::string gap_text(const Gap& gap) {
  std::string text = "gap  ";
  if (gap.from_seq() != 0) {
    text += fmt::format(" {} kernel events missing ({}..{})", gap.count(), gap.from_seq(), gap.to_seq());
  }
  if (gap.output_bytes() != 0) text += fmt::format(" {} bytes of output missing", gap.output_bytes());
  if (gap.other_events() != 0) text += fmt::format(" {} other events missing", gap.other_events());
  if (!gap.classes().empty())
    text += fmt::format(" events of these classes missing: {}", quoted_if_needed(gap.classes()));
  if (text == "gap  ") text += " events missing, nobody knows how many";
  return fmt::format("{}: {}", text, reason_text(gap.reason()));
}

std::string_view reason_text(EndReason reason) {
  switch (reason) {
    case END_REASON_COMPLETE: return "complete";
    case END_REASON_LIMIT: return "limit reached, processes may live on";
    case END_REASON_INTERRUPTED: return "interrupted";
    default: return "for an unknown reason";
  }
}

std::string opened_text(const ChannelOpened& opened) {
  std::string what = "shell";
  if (opened.type() == CHANNEL_TYPE_COMMAND) what = "command " + quoted_if_needed(opened.command());
  if (opened.type() == CHANNEL_TYPE_SUBSYSTEM) what = "subsystem " + quoted_if_needed(opened.command());
  if (opened.has_pty()) {
    what += fmt::format(", terminal {} {}x{}", quoted_if_needed(opened.term()), opened.columns(), opened.rows());
  }
  return fmt::format("channel {} opened: {}, pid {}", opened.channel(), what, opened.pid());
}

std::string closed_text(const ChannelClosed& closed) {
  const std::string how = closed.exit_signal().empty()
                              ? fmt::format("status {}", closed.exit_status())
                              : fmt::format("killed by SIG{}", quoted_if_needed(closed.exit_signal()));
  return fmt::format("channel {} closed: {}", closed.channel(), how);
}

std::string begin_text(const Begin& begin) {
  return fmt::format("begin session {} user {} login {} on {} from {}", quoted_if_needed(begin.session_id()),
                     quoted_if_needed(begin.user()), quoted_if_needed(begin.login()),
                     quoted_if_needed(begin.node_name()), quoted_if_needed(begin.client_address()));
}

std::string end_text(const End& end) {
  return fmt::format("end   {}: kernel events {} issued, {} stored, {} missing", reason_text(end.reason()),
                     end.kernel_issued(), end.kernel_stored(), end.kernel_missing());
}

std::string input_text(const recording::v1::Input& input) {
  if (input.hidden_bytes() > 0) return fmt::format("typed {} bytes that were not shown", input.hidden_bytes());
  return fmt::format("typed {}", quoted_if_needed(input.data()));
}

std::string clock_text(const recording::v1::ClockStep& step) {
  constexpr double kNsPerS = 1e9;
  if (step.suspended_ns() > 0) {
    return fmt::format("the node slept {:.1f} s", static_cast<double>(step.suspended_ns()) / kNsPerS);
  }
  return fmt::format("the node's clock was set by {:+.3f} s", static_cast<double>(step.step_ns()) / kNsPerS);
}

std::string_view kind_text(ForwardKind kind) {
  switch (kind) {
    case FORWARD_KIND_LOCAL: return "to";
    case FORWARD_KIND_REMOTE: return "from";
    case FORWARD_KIND_AGENT: return "of the agent";
    case FORWARD_KIND_X11: return "of X11";
    default: return "of an unknown kind";
  }
}

std::string forward_text(const Forward& forward) {
  std::string text = fmt::format("forward {} {}", forward.number(), kind_text(forward.kind()));
  if (!forward.host().empty()) text += " " + quoted_if_needed(forward.host());
  if (forward.port() != 0) text += fmt::format(":{}", forward.port());
  switch (forward.phase()) {
    case FORWARD_PHASE_LISTENING: return text + " listening";
    case FORWARD_PHASE_OPENED:
      return forward.peer().empty() ? text + " opened"
                                    : fmt::format("{} opened: {}", text, quoted_if_needed(forward.peer()));
    case FORWARD_PHASE_CLOSED:
      return fmt::format("{} closed: {} bytes to the client, {} from it", text, forward.sent(), forward.received());
    case FORWARD_PHASE_REFUSED: return fmt::format("{} refused: {}", text, quoted_if_needed(forward.reason()));
    default: return text;
  }
}

std::string_view stream_text(recording::v1::Stream stream) {
  switch (stream) {
    case recording::v1::STREAM_STDOUT: return "standard output";
    case recording::v1::STREAM_STDERR: return "standard error";
    default: return "output";
  }
}

std::string not_kept_text(const recording::v1::OutputNotKept& output) {
  const std::string what = fmt::format("{} of channel {}", stream_text(output.stream()), output.channel());
  if (output.bytes() == 0) return what + ": not kept from here on, as the policy has it";
  return fmt::format("{}: {} bytes were passed on and not kept", what, output.bytes());
}

std::string whole_text(const Event& event) {
  switch (event.kind_case()) {
    case Event::kBegin: return begin_text(event.begin());
    case Event::kResize:
      return fmt::format("channel {} resized: {}x{}", event.resize().channel(), event.resize().columns(),
                         event.resize().rows());
    case Event::kChannelOpened: return opened_text(event.channel_opened());
    case Event::kChannelClosed: return closed_text(event.channel_closed());
    case Event::kGap: return gap_text(event.gap());
    case Event::kAfterTerminal:
      return fmt::format("after the terminal: {} processes live on", event.after_terminal().live_processes());
    case Event::kEnd: return end_text(event.end());
    case Event::kInput: return input_text(event.input());
    case Event::kClockStep: return clock_text(event.clock_step());
    case Event::kJoin:
      return fmt::format("{} {} the session ({})", quoted_if_needed(event.join().user()),
                         event.join().left() ? "left" : "joined", quoted_if_needed(event.join().mode()));
    case Event::kMarker: return fmt::format("marker {}", quoted_if_needed(event.marker().label()));
    case Event::kForward: return forward_text(event.forward());
    case Event::kOutputNotKept: return not_kept_text(event.output_not_kept());
    default: return kernel_event_text(event);
  }
}

}  // namespace

std::string describe(const Event& event) {
  constexpr std::string_view kCut = "...";
  std::string text = whole_text(event);
  if (text.size() > kMaxTextBytes) {
    text.resize(kMaxTextBytes - kCut.size());
    text += kCut;
  }
  return text;
}

std::string errno_name(int errno_value) {
  // In 64 bits the negative of every int exists.
  const int64_t magnitude = errno_value < 0 ? -int64_t{errno_value} : int64_t{errno_value};
  const char* name = magnitude <= 4095 ? ::strerrorname_np(static_cast<int>(magnitude)) : nullptr;
  return name != nullptr ? name : fmt::format("errno {}", magnitude);
}

}  // namespace cairn::recorder
