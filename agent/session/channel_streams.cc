#include "agent/session/channel_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "agent/session/pty.h"
#include "agent/session/ssh_flow.h"
#include "tunnel/tls.h"

namespace cairn::agent {
namespace {

// At once: what makes, with what SSH puts around it, two TLS records; clients take packets of 32 KiB.
constexpr size_t kReadBytes = 2 * tunnel::kTlsRecordBytes - 64;
constexpr int kReadsPerTurn = 8;  // so that one channel does not keep the others waiting

bool is_no_error() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Result<void> ChannelStreams::attach_terminal(UniqueFd master) {
  input_.reset(::fcntl(master.get(), F_DUPFD_CLOEXEC, 0));
  if (!input_) return fail_errno("duplicate the terminal");
  output_ = std::move(master);
  is_terminal_ = true;
  return {};
}

void ChannelStreams::attach_pipes(UniqueFd input, UniqueFd output, UniqueFd errors) {
  input_ = std::move(input);
  output_ = std::move(output);
  errors_ = std::move(errors);
}

// The client's window is open, and the disk keeps up.
bool ChannelStreams::takes_output() const {
  const bool is_window_open = ssh_channel_window_size(channel_) > 0 || is_output_unwanted_;
  return !is_client_gone_ && outgoing_.empty() && is_window_open && host_->has_room();
}

// Whether more of the program's output may be taken: libssh keeps up, too.
bool ChannelStreams::may_read() const { return takes_output() && !is_write_pending(ssh_channel_get_session(channel_)); }

// Callbacks have told of an end that serve() has not seen: libssh runs them inside calls for other channels, too.
bool ChannelStreams::has_news() const {
  if (is_client_gone_) return input_ || output_ || errors_;
  const bool is_input_ended = is_input_over_ && !is_terminal_ && input_ && !has_input_ && incoming_.empty();
  return is_input_ended || (is_output_unwanted_ && output_);
}

void ChannelStreams::prepare(PollSet& waits) {
  if (has_news()) waits.wait_at_most(std::chrono::milliseconds(0));
  const bool wants_output = may_read();
  output_slot_ = waits.add(output_.get(), wants_output ? POLLIN : 0);
  errors_slot_ = waits.add(errors_.get(), wants_output ? POLLIN : 0);
  input_slot_ = waits.add(input_.get(), !incoming_.empty() || has_input_ ? POLLOUT : 0);
}

void ChannelStreams::serve(const PollSet& waits) {
  if (is_client_gone_) return close();
  if (is_output_unwanted_) forget_output();
  push();
  if (waits.ready(output_slot_) != 0 || (is_terminal_ && is_program_over_))
    pump_output(output_, is_terminal_ ? recording::v1::STREAM_TERMINAL : recording::v1::STREAM_STDOUT);
  if (waits.ready(errors_slot_) != 0) pump_output(errors_, recording::v1::STREAM_STDERR);
  if (has_input_ || !incoming_.empty() || is_input_over_) pump_input();
}

// How much of it libssh took; negative: the client has gone.
int ChannelStreams::offer(const std::string& bytes, bool is_errors) {
  if (bytes.empty() || ssh_channel_window_size(channel_) == 0) return 0;
  const auto size = static_cast<uint32_t>(bytes.size());
  return is_errors ? ssh_channel_write_stderr(channel_, bytes.data(), size)
                   : ssh_channel_write(channel_, bytes.data(), size);
}

// What libssh did not take the last time: the window was smaller than it said, or keys are being exchanged.
void ChannelStreams::push() {
  const int taken = offer(outgoing_, is_outgoing_errors_);
  if (taken > 0) outgoing_.erase(0, static_cast<size_t>(taken));
  const int said = taken >= 0 && outgoing_.empty() ? offer(unsaid_, true) : 0;
  if (said > 0) unsaid_.erase(0, static_cast<size_t>(said));
  if (taken >= 0 && said >= 0) return;
  is_client_gone_ = true;
  close();
}

void ChannelStreams::say(std::string_view sentence) {
  if (is_client_gone_) return;
  unsaid_ += sentence;
  push();
}

// What is written to standard output from now on ends the writer (SIGPIPE). Errors are still recorded, and sent as far
// as the window goes.
void ChannelStreams::forget_output() {
  output_.reset();
  tell_ends();
  if (!is_outgoing_errors_ || ssh_channel_window_size(channel_) == 0) outgoing_.clear();
}

void ChannelStreams::pump_output(UniqueFd& from, recording::v1::Stream stream) {
  if (!from || !may_read()) return;
  for (int reads = 0; reads < kReadsPerTurn && takes_output(); ++reads) {
    if (!pass_on(from, stream) || !flush(channel_)) return;
  }
}

// False: there is nothing more for now, or at all.
bool ChannelStreams::pass_on(UniqueFd& from, recording::v1::Stream stream) {
  std::array<char, kReadBytes> buffer;
  const size_t window = ssh_channel_window_size(channel_);
  const size_t room = window == 0 ? buffer.size() : std::min(buffer.size(), window);
  const ssize_t got = ::read(from.get(), buffer.data(), room);
  if (got < 0 && is_no_error() && !(is_terminal_ && is_program_over_ && errno != EINTR)) return false;
  // A terminal ends with EIO once its last program has let go of it (pty(7) says nothing of it; tty_io.c does).
  if (got <= 0) {
    from.reset();
    tell_ends();
    return false;
  }
  record_output(stream, {buffer.data(), static_cast<size_t>(got)});
  outgoing_.assign(buffer.data(), static_cast<size_t>(got));
  is_outgoing_errors_ = stream == recording::v1::STREAM_STDERR;
  push();
  return static_cast<size_t>(got) == room;
}

void ChannelStreams::record_output(recording::v1::Stream stream, std::string_view bytes) {
  const std::string_view kept = is_terminal_ ? bytes : keep(stream, bytes);
  if (!kept.empty()) host_->record_output(number_, stream, kept);
}

// What of it the policy keeps: the front. That there is more is on record from the first byte that is not.
std::string_view ChannelStreams::keep(recording::v1::Stream stream, std::string_view bytes) {
  Piped& piped = stream == recording::v1::STREAM_STDERR ? piped_errors_ : piped_output_;
  const uint64_t limit = host_->piped_output_bytes();
  const uint64_t room = limit - std::min(limit, piped.kept);
  const size_t kept = static_cast<size_t>(std::min<uint64_t>(room, bytes.size()));
  if (kept < bytes.size() && piped.not_kept == 0) tell_not_kept(stream, 0);
  piped.kept += kept;
  piped.not_kept += bytes.size() - kept;
  return bytes.substr(0, kept);
}

void ChannelStreams::tell_not_kept(recording::v1::Stream stream, uint64_t bytes) {
  recording::v1::Event event;
  event.set_boot_ns(host_->boot_ns());
  event.mutable_output_not_kept()->set_channel(number_);
  event.mutable_output_not_kept()->set_stream(stream);
  event.mutable_output_not_kept()->set_bytes(bytes);
  host_->record(std::move(event));
}

// Of streams that have ended: how much was not kept, once.
void ChannelStreams::tell_ends() {
  if (!output_ && piped_output_.not_kept > 0)
    tell_not_kept(recording::v1::STREAM_STDOUT, std::exchange(piped_output_.not_kept, 0));
  if (!errors_ && piped_errors_.not_kept > 0)
    tell_not_kept(recording::v1::STREAM_STDERR, std::exchange(piped_errors_.not_kept, 0));
}

bool ChannelStreams::fetch_input() {
  return (has_input_ || is_input_over_) && fetch_from(channel_, kReadBytes, incoming_, has_input_);
}

void ChannelStreams::pump_input() {
  for (int reads = 0; reads < kReadsPerTurn;) {
    if (incoming_.empty() && !fetch_input()) {
      // The end of a terminal's input is a character, not a closed descriptor; the person may have another window.
      if (is_input_over_ && !is_terminal_) input_.reset();
      return;
    }
    if (!input_) {
      incoming_.clear();  // the program listens no more
      continue;
    }
    ++reads;
    const bool is_recorded = is_terminal_ && host_->records_input();
    // Asked before: a program that reads a password turns the echo on again as soon as it has it.
    const bool is_shown = !is_recorded || !is_read_unseen(input_.get());
    const ssize_t put = ::write(input_.get(), incoming_.data(), incoming_.size());
    if (put < 0 && is_no_error()) return;
    if (put < 0) {
      input_.reset();
      continue;
    }
    if (is_recorded) record_input(static_cast<size_t>(put), is_shown);
    incoming_.erase(0, static_cast<size_t>(put));
  }
}

void ChannelStreams::record_input(size_t bytes, bool is_shown) {
  recording::v1::Event event;
  event.set_boot_ns(host_->boot_ns());
  event.mutable_input()->set_channel(number_);
  if (is_shown) event.mutable_input()->set_data(incoming_.data(), bytes);
  if (!is_shown) event.mutable_input()->set_hidden_bytes(static_cast<uint32_t>(bytes));
  host_->record(std::move(event));
}

void ChannelStreams::close() {
  input_.reset();
  output_.reset();
  errors_.reset();
  tell_ends();
  incoming_.clear();
  outgoing_.clear();
  unsaid_.clear();
}

Result<void> ChannelStreams::resize(TerminalSize size) {
  if (!is_terminal_ || !output_) return fail(Errc::kClosed, "the terminal has ended");
  return set_terminal_size(output_.get(), size);
}

}  // namespace cairn::agent
