#include "tunnel/pump.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cairn::tunnel {
namespace {

using Step = TlsEngine::Step;

constexpr int kBlocksAtOnce = 8;  // of each direction, so that the caller's other work has its turn

bool must_wait(ssize_t result) { return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK); }

template <class Call> ssize_t again_when_interrupted(Call call) {
  for (;;) {
    const ssize_t result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// Block after block; true: its share is done, and there may be more.
template <class Move> bool takes_its_share(Move move_block) {
  for (int blocks = 0; blocks < kBlocksAtOnce; ++blocks) {
    if (!move_block()) return false;
  }
  return true;
}

}  // namespace

Pump::Pump(UniqueFd connection, TlsEngine tls, int in, int out)
    : connection_(std::move(connection)), tls_(std::move(tls)), in_(in), out_(out) {}

std::array<pollfd, 3> Pump::waits() const {
  const auto wait = [](int fd, int events) {
    return pollfd{.fd = events == 0 ? -1 : fd, .events = static_cast<short>(events), .revents = 0};
  };
  const bool wants_peer = !is_receiving_over_ && received_.is_empty();
  const bool wants_input = !is_sending_over_ && !is_input_over_ && to_send_.is_empty();
  return {wait(connection_.get(), (wants_peer ? POLLIN : 0) | (waits_to_send_ ? POLLOUT : 0)),
          wait(in_, wants_input ? POLLIN : 0), wait(out_, !received_.is_empty() ? POLLOUT : 0)};
}

void Pump::serve(Ready ready) {
  const bool receives =
      std::exchange(has_more_to_receive_, false) || (received_.is_empty() ? ready.connection : ready.out);
  if (receives && !is_receiving_over_) has_more_to_receive_ = takes_its_share([this] { return receive_some(); });
  const bool sends = std::exchange(has_more_to_send_, false) || (waits_to_send_ ? ready.connection : ready.in);
  if (sends && !is_sending_over_) has_more_to_send_ = takes_its_share([this] { return send_some(); });
}

// ---- from here to the peer

// False: it must wait, or is over.
bool Pump::send_some() {
  waits_to_send_ = false;
  if (to_send_.is_empty() && !is_input_over_ && !take_input()) return false;
  if (to_send_.is_empty() && is_input_over_) {
    const Step step = tls_.finish();
    waits_to_send_ = step == Step::kNeedsOutput;
    if (!waits_to_send_) end_sending(std::nullopt);  // when it failed, the other direction says why
    return false;
  }
  while (!to_send_.is_empty()) {
    size_t written = 0;
    const Step step = tls_.write(
        boost::asio::const_buffer(to_send_.bytes.get() + to_send_.begin, to_send_.end - to_send_.begin), written);
    if (step == Step::kDone) {
      to_send_.begin += written;
      continue;
    }
    waits_to_send_ = step == Step::kNeedsOutput || step == Step::kNeedsInput;
    if (!waits_to_send_) end_sending(tls_.write_failed().value());
    return false;
  }
  return !is_in_drained_;
}

bool Pump::take_input() {
  const ssize_t got = again_when_interrupted([this] { return ::read(in_, to_send_.bytes.get(), kBufferBytes); });
  if (must_wait(got)) return false;
  is_in_drained_ = got < ssize_t{kBufferBytes};
  // A terminal that has hung up says EIO, a socket ECONNRESET: nothing more comes from either.
  is_input_over_ = got <= 0;
  to_send_.begin = 0;
  to_send_.end = static_cast<size_t>(std::max<ssize_t>(got, 0));
  return true;
}

void Pump::end_sending(std::optional<Error> why) {
  is_sending_over_ = true;
  to_send_.begin = to_send_.end = 0;
  if (!error_) error_ = std::move(why);
}

// ---- from the peer to here

// False: it must wait, or is over.
bool Pump::receive_some() {
  if (!received_.is_empty()) return give_output();
  size_t got = 0;
  switch (tls_.read(boost::asio::mutable_buffer(received_.bytes.get(), kBufferBytes), got)) {
    case Step::kDone: break;
    case Step::kNeedsInput:
    case Step::kNeedsOutput: return false;
    case Step::kPeerFinished: return end_receiving(std::nullopt), false;
    case Step::kFailed: {
      Error why = tls_.failed("read").value();
      // Programs that are killed send no close_notify. What must arrive whole has lengths and ends of its own.
      const bool is_end = why.code == Errc::kClosed;
      return end_receiving(is_end ? std::nullopt : std::optional(std::move(why))), false;
    }
  }
  received_.begin = 0;
  received_.end = got;
  return give_output();
}

bool Pump::give_output() {
  while (!received_.is_empty()) {
    const ssize_t put = again_when_interrupted(
        [this] { return ::write(out_, received_.bytes.get() + received_.begin, received_.end - received_.begin); });
    if (must_wait(put)) return false;
    if (put < 0) {
      // Whoever listened has gone, which is how a client ends.
      const bool has_gone = errno == EPIPE || errno == ECONNRESET;
      return end_receiving(has_gone ? std::nullopt : std::optional(fail_errno("write what the peer sent").value())),
             false;
    }
    received_.begin += static_cast<size_t>(put);
    given_bytes_ += static_cast<size_t>(put);
  }
  return !tls_.is_drained();
}

void Pump::end_receiving(std::optional<Error> why) {
  is_receiving_over_ = true;
  received_.begin = received_.end = 0;
  ::shutdown(out_, SHUT_WR);  // of a pipe or a file its owner closes it
  if (!error_) error_ = std::move(why);
}

void Pump::finish(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  serve();
  while (!is_sending_over_ || !is_receiving_over_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    std::array<pollfd, 3> waits = this->waits();
    ::poll(waits.data(), waits.size(), has_more() ? 0 : static_cast<int>(left.count()));
    serve(ready(waits));
  }
}

}  // namespace cairn::tunnel
