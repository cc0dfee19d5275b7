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

namespace cairn::recorder {
namespace {

using namespace recording::v1;

struct FlagName {
  uint32_t bits;
  std::string_view name;
};

// Those that contain others come first. The kernel's O_LARGEFILE is 0 in 64-bit programs' headers, yet set by some.
constexpr std::array kOpenFlags = {
    FlagName{O_TMPFILE, "O_TMPFILE"},   FlagName{O_SYNC, "O_SYNC"},       FlagName{O_CREAT, "O_CREAT"},
    FlagName{O_EXCL, "O_EXCL"},         FlagName{O_TRUNC, "O_TRUNC"},     FlagName{O_APPEND, "O_APPEND"},
    FlagName{O_NONBLOCK, "O_NONBLOCK"}, FlagName{O_CLOEXEC, "O_CLOEXEC"}, FlagName{O_DIRECTORY, "O_DIRECTORY"},
    FlagName{O_NOFOLLOW, "O_NOFOLLOW"}, FlagName{O_PATH, "O_PATH"},       FlagName{O_NOCTTY, "O_NOCTTY"},
    FlagName{O_DIRECT, "O_DIRECT"},     FlagName{O_NOATIME, "O_NOATIME"}, FlagName{O_DSYNC, "O_DSYNC"},
    FlagName{O_ASYNC, "O_ASYNC"},
#if defined(__x86_64__)
    FlagName{0100000, "O_LARGEFILE"},
#endif
};

std::string path_text(const KernelPath& path) {
  return quoted_if_needed(path.complete() ? path.path() : "..." + path.path());
}

std::string claimed_text(const std::string& path) { return quoted_if_needed(path) + " (claimed)"; }

std::string process_text(const Process& process) { return fmt::format("pid {} uid {}", process.pid(), process.uid()); }

// "1.2.3.4:22" or "[::1]:22"; the bytes may be of any length, since a recording may come from anyone.
std::string address_text(const std::string& address, uint32_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.size() == sizeof(in_addr) && ::inet_ntop(AF_INET, address.data(), text.data(), text.size()) != nullptr) {
    return fmt::format("{}:{}", text.data(), port);
  }
  if (address.size() == sizeof(in6_addr) &&
      ::inet_ntop(AF_INET6, address.data(), text.data(), text.size()) != nullptr) {
    return fmt::format("[{}]:{}", text.data(), port);
  }
  return fmt::format("(unknown address):{}", port);
}

std::string exec_text(const Exec& exec) {
  if (exec.result() < 0) {
    return fmt::format("exec  {} {} = {}", process_text(exec.process()), claimed_text(exec.filename()),
                       errno_name(exec.result()));
  }
  std::string text = fmt::format("exec  {} {} ", process_text(exec.process()), path_text(exec.executable()));
  for (const std::string& argument : exec.argv()) {
    if (text.size() > kMaxTextBytes) break;
    text += ' ';
    text += quoted_if_needed(std::string_view(argument).substr(0, kMaxTextBytes));
  }
  if (exec.argv_truncated()) text += fmt::format(" [cut: {} bytes in all]", exec.argv_bytes());
  return text;
}

std::string open_text(const Open& open) {
  const std::string flags = open_flags_text(open.flags());
  const bool has_failed = open.result() < 0;
  const std::string result = has_failed ? errno_name(open.result()) : std::to_string(open.result());
  if (open.has_file()) return fmt::format("open  {} {} = {}", path_text(open.file()), flags, result);
  const std::string path = open.claimed_unreadable() ? "(path unreadable)" : claimed_text(open.claimed_path());
  return fmt::format("open  {} {} = {}", path, flags, result);
}

std::string connect_text(const Connect& connect) {
  std::string result = "attempt";
  if (connect.phase() == CONNECT_PHASE_RESULT) result = connect.result() == 0 ? "ok" : errno_name(connect.result());
  return fmt::format("connect {} = {}", address_text(connect.remote_address(), connect.remote_port()), result);
}

std::string exit_text(const ProcessExit& exit) {
  const std::string who = fmt::format("exit  pid {}", exit.process().pid());
  if (exit.exit_signal() == 0) return fmt::format("{} status {}", who, exit.exit_status());
  const char* name = ::sigabbrev_np(static_cast<int>(exit.exit_signal()));
  const std::string signal = name != nullptr ? fmt::format("SIG{}", name) : std::to_string(exit.exit_signal());
  return fmt::format("{} killed by {}{}", who, signal, exit.core_dumped() ? " (core dumped)" : "");
}

std::string_view reason_text(GapReason reason) {
  switch (reason) {
    case GAP_REASON_RING_FULL: return "the kernel's ring was full";
    case GAP_REASON_SPOOL_FULL: return "the spool was full";
    case GAP_REASON_UNREADABLE: return "a record was unreadable";
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

std::string whole_text(const Event& event) {
  switch (event.kind_case()) {
    case Event::kBegin: return begin_text(event.begin());
    case Event::kResize:
      return fmt::format("channel {} resized: {}x{}", event.resize().channel(), event.resize().columns(),
                         event.resize().rows());
    case Event::kChannelOpened: return opened_text(event.channel_opened());
    case Event::kChannelClosed: return closed_text(event.channel_closed());
    case Event::kExec: return exec_text(event.exec());
    case Event::kOpen: return open_text(event.open());
    case Event::kConnect: return connect_text(event.connect());
    case Event::kProcessExit: return exit_text(event.process_exit());
    case Event::kGap: return gap_text(event.gap());
    case Event::kAfterTerminal:
      return fmt::format("after the terminal: {} processes live on", event.after_terminal().live_processes());
    case Event::kEnd: return end_text(event.end());
    default: return {};
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

std::string open_flags_text(uint32_t flags) {
  constexpr std::array<std::string_view, 4> kAccess = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  std::string text(kAccess[flags & O_ACCMODE]);
  uint32_t rest = flags & ~static_cast<uint32_t>(O_ACCMODE);
  for (const FlagName& flag : kOpenFlags) {
    if ((rest & flag.bits) != flag.bits) continue;
    text += '|';
    text += flag.name;
    rest &= ~flag.bits;
  }
  if (rest != 0) text += fmt::format("|{:#x}", rest);
  return text;
}

std::string errno_name(int errno_value) {
  // In 64 bits the negative of every int exists.
  const int64_t magnitude = errno_value < 0 ? -int64_t{errno_value} : int64_t{errno_value};
  const char* name = magnitude <= 4095 ? ::strerrorname_np(static_cast<int>(magnitude)) : nullptr;
  return name != nullptr ? name : fmt::format("errno {}", magnitude);
}

}  // namespace cairn::recorder
