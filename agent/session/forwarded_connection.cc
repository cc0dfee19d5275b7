#include "agent/session/forwarded_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "agent/session/ssh_flow.h"

namespace cairn::agent {
namespace {

constexpr size_t kReadBytes = 32768;
constexpr int kReadsPerTurn = 8;  // so that one connection does not keep the others waiting

// libssh does not tell when a channel that it asks for is open, or refused.
constexpr std::chrono::milliseconds kOpeningLook{50};

bool is_no_error() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

ForwardedConnection::ForwardedConnection(ssh_channel channel, UniqueFd socket, recording::v1::Forward facts, Open open)
    : channel_(channel), socket_(std::move(socket)), facts_(std::move(facts)), open_(std::move(open)) {
  set_callbacks();
}

ForwardedConnection::~ForwardedConnection() {
  ssh_remove_channel_callbacks(channel_, &callbacks_);
  ssh_channel_free(channel_);
}

// libssh runs callbacks of any channel inside its calls, so nothing here calls it from a callback.
void ForwardedConnection::set_callbacks() {
  callbacks_.userdata = this;
  callbacks_.channel_data_function = [](ssh_session, ssh_channel, void*, uint32_t bytes, int is_errors, void* user) {
    if (is_errors != 0) return static_cast<int>(bytes);
    static_cast<ForwardedConnection*>(user)->has_input_ = true;
    return 0;
  };
  callbacks_.channel_eof_function = [](ssh_session, ssh_channel, void* user) {
    static_cast<ForwardedConnection*>(user)->is_input_over_ = true;
  };
  callbacks_.channel_close_function = [](ssh_session, ssh_channel, void* user) {
    static_cast<ForwardedConnection*>(user)->note_client_gone();
  };
  ssh_callbacks_init(&callbacks_);
  ssh_set_channel_callbacks(channel_, &callbacks_);
}

// Its last bytes may have come with its end.
void ForwardedConnection::note_client_gone() { is_client_gone_ = is_input_over_ = true; }

void ForwardedConnection::prepare(PollSet& waits) {
  slot_ = PollSet::kNone;
  if (is_over_) return;
  if (open_) return waits.wait_at_most(kOpeningLook);
  if (has_news()) waits.wait_at_most(std::chrono::milliseconds(0));
  const bool wants_more = !is_output_over_ && outgoing_.empty() && takes_bytes(channel_);
  const bool has_more = has_input_ || !incoming_.empty();
  slot_ = waits.add(socket_.get(), static_cast<short>((wants_more ? POLLIN : 0) | (has_more ? POLLOUT : 0)));
}

// Callbacks have told of an end that serve() has not seen: libssh runs them inside calls for other channels, too.
bool ForwardedConnection::has_news() const {
  const bool is_output_ended = is_client_gone_ && !is_output_over_;
  const bool is_input_ended = is_input_over_ && !is_input_shut_ && !has_input_ && incoming_.empty();
  return is_output_ended || is_input_ended;
}

void ForwardedConnection::serve(const PollSet& waits) {
  if (is_over_) return;
  if (open_) {
    const int outcome = open_(channel_);
    if (outcome == SSH_AGAIN) return;
    is_refused_ = outcome != SSH_OK;
    open_ = nullptr;
    if (is_refused_) return close();
  }
  push();
  if (waits.ready(slot_) != 0) take_from_socket();
  if (is_client_gone_) {
    outgoing_.clear();
    is_output_over_ = true;
  }
  give_to_socket();
  if (is_output_over_ && is_input_shut_ && outgoing_.empty()) close();
}

// What libssh did not take the last time: the window was smaller than it said, or keys are being exchanged.
void ForwardedConnection::push() {
  if (outgoing_.empty() || is_client_gone_ || ssh_channel_window_size(channel_) == 0) return;
  const int taken = ssh_channel_write(channel_, outgoing_.data(), static_cast<uint32_t>(outgoing_.size()));
  if (taken < 0) return note_client_gone();
  facts_.set_sent(facts_.sent() + static_cast<uint64_t>(taken));
  outgoing_.erase(0, static_cast<size_t>(taken));
}

void ForwardedConnection::take_from_socket() {
  if (is_output_over_ || !outgoing_.empty() || !takes_bytes(channel_)) return;
  std::array<char, kReadBytes> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && is_no_error()) return;
  if (got > 0) {
    outgoing_.assign(buffer.data(), static_cast<size_t>(got));
    return push();
  }
  is_output_over_ = true;
  if (got < 0) is_input_shut_ = true;  // a reset: it takes no more either
  if (!is_client_gone_) ssh_channel_send_eof(channel_);
}

bool ForwardedConnection::fetch() {
  return (has_input_ || is_input_over_) && fetch_from(channel_, kReadBytes, incoming_, has_input_);
}

void ForwardedConnection::give_to_socket() {
  for (int reads = 0; reads < kReadsPerTurn;) {
    if (incoming_.empty() && !fetch()) break;
    if (is_input_shut_) {
      incoming_.clear();  // nobody listens
      continue;
    }
    ++reads;
    const ssize_t put = ::send(socket_.get(), incoming_.data(), incoming_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && is_no_error()) return;
    if (put < 0) {
      is_input_shut_ = true;
      continue;
    }
    facts_.set_received(facts_.received() + static_cast<uint64_t>(put));
    incoming_.erase(0, static_cast<size_t>(put));
  }
  if (!is_input_over_ || is_input_shut_ || has_input_ || !incoming_.empty()) return;
  ::shutdown(socket_.get(), SHUT_WR);
  is_input_shut_ = true;
}

void ForwardedConnection::close() {
  is_over_ = true;
  socket_.reset();
  if (!is_client_gone_ && !is_refused_) ssh_channel_close(channel_);
}

}  // namespace cairn::agent
