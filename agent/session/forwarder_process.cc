#include "agent/session/forwarder_process.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "agent/session/control_socket.h"

namespace cairn::agent {

Result<ForwarderProcess> ForwarderProcess::start(SessionHost* host) {
  Result<ControlPair> pair = make_control_pair();
  if (!pair) return fail(pair, "start a forwarder");
  LoginDescriptors descriptors{.input = std::move(pair->login),
                               .output = UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
                               .errors = UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC))};
  if (!descriptors.output || !descriptors.errors) return fail_errno("open /dev/null");
  Result<LoginProcess> login = host->start_login(std::move(descriptors));
  if (!login) return fail(login);
  v1::LoginStart start = host->login_start();
  start.mutable_forwarder();
  if (Result<void> opened = login->open_gate(std::move(start)); !opened) {
    login->end_at_gate();
    return fail(opened);
  }
  return ForwarderProcess(std::move(pair->worker), std::move(*login));
}

Result<uint64_t> ForwarderProcess::send(v1::ToForwarder request) {
  request.set_id(++last_id_);
  if (Result<void> sent = send_control(socket_.get(), request); !sent) return fail(sent);
  return last_id_;
}

Result<std::optional<ForwarderAnswer>> ForwarderProcess::read() {
  ForwarderAnswer answer;
  const Result<bool> received = receive_control(socket_.get(), &answer.message, Waiting::kNot, &answer.sockets);
  if (received) return *received ? std::optional(std::move(answer)) : std::nullopt;
  const std::optional<v1::FromLogin> word = login_.receive();
  if (word && word->has_refused()) return fail(Errc::kDenied, word->refused().reason());
  return fail(received, "the process that forwards for this session has ended");
}

Result<std::optional<ForwarderAnswer>> ForwarderProcess::receive() {
  if (kept_.empty()) return read();
  std::optional<ForwarderAnswer> first = std::move(kept_.front());
  kept_.pop_front();
  return first;
}

Result<ForwarderAnswer> ForwarderProcess::ask(v1::ToForwarder request, std::chrono::milliseconds limit) {
  const Result<uint64_t> id = send(std::move(request));
  if (!id) return fail(id);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    Result<std::optional<ForwarderAnswer>> next = read();
    if (!next) return fail(next);
    std::optional<ForwarderAnswer>& answer = *next;
    if (answer && answer->message.id() != *id) {
      kept_.push_back(std::move(*answer));
      continue;
    }
    if (answer && !answer->message.error().empty()) return fail(Errc::kUnavailable, answer->message.error());
    if (answer) return std::move(*answer);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::kTimeout, "the process that forwards for this session does not answer");
    struct pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, static_cast<int>(left.count()));
  }
}

LoginProcess ForwarderProcess::end() && {
  socket_.reset();
  return std::move(login_);
}

}  // namespace cairn::agent
