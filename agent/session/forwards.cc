#include "agent/session/forwards.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "agent/session/socket_peer.h"
#include "tunnel/networks.h"

namespace cairn::agent {
namespace {

using recording::v1::Forward;

// Logging in may take PAM's modules a while; the whole connection waits meanwhile.
constexpr std::chrono::seconds kAnswerLimit{20};
constexpr std::chrono::milliseconds kEndLimit{1000};

constexpr const char* kNotPermitted = "your roles or your certificate do not permit it (cairn roles ls: FORWARDS)";

// The client's channel for a connection that has come in.
ForwardedConnection::Open opening(const Forward& facts) {
  const std::string peer(facts.peer().empty() ? "127.0.0.1" : tunnel::host_of(facts.peer()));
  const int peer_port = std::atoi(std::string(tunnel::port_of(facts.peer())).c_str());
  switch (facts.kind()) {
    case recording::v1::FORWARD_KIND_AGENT: return ssh_channel_open_auth_agent;
    case recording::v1::FORWARD_KIND_X11:
      return [peer, peer_port](ssh_channel channel) { return ssh_channel_open_x11(channel, peer.c_str(), peer_port); };
    default:
      return [host = facts.host(), port = static_cast<int>(facts.port()), peer, peer_port](ssh_channel channel) {
        return ssh_channel_open_reverse_forward(channel, host.c_str(), port, peer.c_str(), peer_port);
      };
  }
}

}  // namespace

Forwards::Forwards(ssh_session session, SessionHost* host, const CertificateTerms* terms, Log log)
    : session_(session), host_(host), terms_(terms), log_(std::move(log)) {}

// ---- on record

Forward Forwards::new_facts(recording::v1::ForwardKind kind, std::string host, uint32_t port) {
  Forward facts;
  facts.set_number(next_number_++);
  facts.set_kind(kind);
  facts.set_host(std::move(host));
  facts.set_port(port);
  return facts;
}

void Forwards::record(const Forward& facts, recording::v1::ForwardPhase phase) {
  recording::v1::Event event;
  event.set_boot_ns(host_->boot_ns());
  *event.mutable_forward() = facts;
  event.mutable_forward()->set_phase(phase);
  host_->record(std::move(event));
}

void Forwards::refuse(Forward facts, const std::string& reason) {
  log_.info("forwarding.refused", kv("kind", recording::v1::ForwardKind_Name(facts.kind())), kv("host", facts.host()),
            kv("port", facts.port()), kv("reason", reason));
  facts.set_reason(reason);
  record(facts, recording::v1::FORWARD_PHASE_REFUSED);
  unsaid_.push_back(fmt::format("cairn: forwarding refused: {}", reason));
}

void Forwards::refuse(Pending pending, const std::string& reason) {
  refuse(std::move(pending.facts), reason);
  say_reasons();
  ssh_message_reply_default(pending.message.get());
}

// ---- the forwarder

Result<ForwarderProcess*> Forwards::forwarder() {
  if (!forwarder_) {
    Result<ForwarderProcess> started = ForwarderProcess::start(host_);
    if (!started) return fail(started);
    forwarder_.emplace(std::move(*started));
  }
  return &*forwarder_;
}

void Forwards::take_answers() {
  while (forwarder_) {
    Result<std::optional<ForwarderAnswer>> received = forwarder_->receive();
    if (!received) return fail_pending(received.error().message);
    std::optional<ForwarderAnswer>& answer = *received;
    if (!answer) return;
    take_answer(std::move(*answer));
  }
}

void Forwards::take_answer(ForwarderAnswer answer) {
  auto found = pending_.extract(answer.message.id());
  if (found.empty()) return;
  Pending pending = std::move(found.mapped());
  if (!answer.message.error().empty() || answer.sockets.empty()) {
    const Forward& to = pending.facts;
    const std::string reason = fmt::format("connect to {}:{}: {}", to.host(), to.port(), answer.message.error());
    return refuse(std::move(pending), reason);
  }
  ssh_channel channel = ssh_message_channel_request_open_reply_accept(pending.message.get());
  if (channel == nullptr) return refuse(std::move(pending.facts), "the client is gone");
  pending.facts.set_peer(answer.message.place());
  record(pending.facts, recording::v1::FORWARD_PHASE_OPENED);
  connections_.push_back(
      std::make_unique<ForwardedConnection>(channel, std::move(answer.sockets.front()), std::move(pending.facts)));
}

// A new one is started when something is asked for again.
void Forwards::fail_pending(const std::string& reason) {
  log_.warn("forwarder.ended", kv("reason", reason));
  for (auto& [id, pending] : std::exchange(pending_, {})) refuse(std::move(pending), reason);
  forwarder_.reset();
}

// ---- what the client asks for

void Forwards::connect(SshMessage message) {
  const char* host = ssh_message_channel_request_open_destination(message.get());
  const int port = ssh_message_channel_request_open_destination_port(message.get());
  Pending pending{
      .message = std::move(message),
      .facts = new_facts(recording::v1::FORWARD_KIND_LOCAL, host != nullptr ? host : "", static_cast<uint32_t>(port))};
  if (!terms_->may_forward_ports) return refuse(std::move(pending), kNotPermitted);
  if (connections() >= kMaxConnections)
    return refuse(std::move(pending), fmt::format("{} connections are forwarded already", kMaxConnections));
  const Result<ForwarderProcess*> process = forwarder();
  if (!process) return refuse(std::move(pending), process.error().message);
  v1::ToForwarder request;
  request.mutable_connect()->set_host(pending.facts.host());
  request.mutable_connect()->set_port(pending.facts.port());
  const Result<uint64_t> id = (*process)->send(std::move(request));
  if (!id) return refuse(std::move(pending), id.error().message);
  pending_.emplace(*id, std::move(pending));
}

Result<Forwards::Listener*> Forwards::open_listener(recording::v1::ForwardKind kind, std::string host,
                                                    v1::ToForwarder request) {
  Forward facts = new_facts(kind, std::move(host), request.listen().port());
  const auto refused = [&](Failure why) {
    refuse(facts, why.value().message);
    return why;
  };
  const bool is_permitted = kind == recording::v1::FORWARD_KIND_REMOTE  ? terms_->may_forward_ports
                            : kind == recording::v1::FORWARD_KIND_AGENT ? terms_->may_forward_agent
                                                                        : terms_->may_forward_x11;
  if (!is_permitted) return refused(fail(Errc::kDenied, kNotPermitted));
  if (listeners_.size() >= kMaxListeners)
    return refused(fail(Errc::kUnavailable, fmt::format("it listens in {} places already", kMaxListeners)));
  const Result<ForwarderProcess*> process = forwarder();
  if (!process) return refused(fail(process));
  Result<ForwarderAnswer> answer = (*process)->ask(std::move(request), kAnswerLimit);
  if (!answer) return refused(fail(answer));
  if (!answer->message.place().empty()) facts.set_host(answer->message.place());
  if (answer->message.port() != 0) facts.set_port(answer->message.port());
  record(facts, recording::v1::FORWARD_PHASE_LISTENING);
  auto listener =
      std::make_unique<Listener>(Listener{.facts = std::move(facts), .sockets = std::move(answer->sockets)});
  return listeners_.emplace_back(std::move(listener)).get();
}

Result<uint16_t> Forwards::listen(const std::string& address, uint32_t port) {
  v1::ToForwarder request;
  request.mutable_listen()->set_port(port);
  const Result<Listener*> listener = open_listener(recording::v1::FORWARD_KIND_REMOTE, address, std::move(request));
  if (!listener) return fail(listener);
  return static_cast<uint16_t>((*listener)->facts.port());
}

bool Forwards::cancel(const std::string& address, uint32_t port) {
  const auto found = std::ranges::find_if(listeners_, [&](const auto& listener) {
    const Forward& facts = listener->facts;
    return facts.kind() == recording::v1::FORWARD_KIND_REMOTE && facts.host() == address && facts.port() == port;
  });
  if (found == listeners_.end()) return false;
  record((*found)->facts, recording::v1::FORWARD_PHASE_CLOSED);
  listeners_.erase(found);
  return true;
}

Result<std::string> Forwards::forward_agent() {
  if (!agent_path_.empty()) return agent_path_;
  v1::ToForwarder request;
  request.mutable_agent();
  const Result<Listener*> listener = open_listener(recording::v1::FORWARD_KIND_AGENT, "", std::move(request));
  if (!listener) return fail(listener);
  return agent_path_ = (*listener)->facts.host();
}

Result<std::string> Forwards::forward_x11(uint32_t channel, v1::ForwardX11 display, bool is_single) {
  v1::ToForwarder request;
  *request.mutable_x11() = std::move(display);
  const Result<Listener*> listener = open_listener(recording::v1::FORWARD_KIND_X11, "localhost", std::move(request));
  if (!listener) return fail(listener);
  (*listener)->channel = channel;
  (*listener)->is_single = is_single;
  return (*listener)->facts.host();
}

void Forwards::note_channel_end(uint32_t channel) {
  for (const auto& listener : listeners_) {
    if (listener->channel == channel) record(listener->facts, recording::v1::FORWARD_PHASE_CLOSED);
  }
  std::erase_if(listeners_, [channel](const auto& listener) { return listener->channel == channel; });
}

// ---- the loop's turn

void Forwards::prepare(PollSet& waits) {
  forwarder_slot_ = forwarder_ ? waits.add(forwarder_->socket(), POLLIN) : PollSet::kNone;
  for (const auto& listener : listeners_) listener->slots.clear();
  // They stand still with the programs: what they do must find room in the recording.
  if (!host_->has_room()) return;
  for (const auto& listener : listeners_) {
    for (const UniqueFd& socket : listener->sockets)
      listener->slots.push_back(connections() < kMaxConnections ? waits.add(socket.get(), POLLIN) : PollSet::kNone);
  }
  for (const auto& connection : connections_) connection->prepare(waits);
}

void Forwards::serve(const PollSet& waits) {
  say_reasons();
  if (waits.ready(forwarder_slot_) != 0 || (forwarder_ && forwarder_->has_kept())) take_answers();
  if (!host_->has_room()) return;
  serve_listeners(waits);
  serve_connections(waits);
}

// libssh 0.10 sends no reason with its refusal; "ssh -v" shows these. Not from its callbacks: it reads on while it
// sends.
void Forwards::say_reasons() {
  for (const std::string& reason : std::exchange(unsaid_, {})) ssh_send_debug(session_, reason.c_str(), 1);
}

void Forwards::serve_listeners(const PollSet& waits) {
  for (const auto& listener : listeners_) {
    for (size_t i = 0; i < listener->sockets.size(); ++i) {
      if (i < listener->slots.size() && waits.ready(listener->slots[i]) != 0)
        accept_from(*listener, listener->sockets[i].get());
    }
  }
}

void Forwards::accept_from(Listener& listener, int socket) {
  UniqueFd accepted(::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted) return;  // it has gone again
  ssh_channel channel = ssh_channel_new(session_);
  if (channel == nullptr) return;
  Forward facts = new_facts(listener.facts.kind(), listener.facts.host(), listener.facts.port());
  facts.set_peer(peer_of_socket(accepted.get()));
  ForwardedConnection::Open open = opening(facts);
  connections_.push_back(
      std::make_unique<ForwardedConnection>(channel, std::move(accepted), std::move(facts), std::move(open)));
  if (listener.is_single) listener.sockets.clear();
}

void Forwards::serve_connections(const PollSet& waits) {
  // By index: serving one may, inside libssh, bring another.
  for (size_t i = 0; i < connections_.size(); ++i) {
    ForwardedConnection& connection = *connections_[i];
    const bool was_open = connection.is_open();
    connection.serve(waits);
    if (!was_open && connection.is_open() && connection.is_refused())
      refuse(connection.facts(), "the client refused it");
    if (!was_open && connection.is_open() && !connection.is_refused())
      record(connection.facts(), recording::v1::FORWARD_PHASE_OPENED);
    if (connection.is_over() && !connection.is_refused())
      record(connection.facts(), recording::v1::FORWARD_PHASE_CLOSED);
  }
  std::erase_if(connections_, [](const auto& connection) { return connection->is_over(); });
}

std::optional<OpenLogin> Forwards::hang_up() {
  for (const auto& connection : connections_) {
    if (connection->is_open()) record(connection->facts(), recording::v1::FORWARD_PHASE_CLOSED);
  }
  for (const auto& listener : listeners_) record(listener->facts, recording::v1::FORWARD_PHASE_CLOSED);
  for (auto& [id, pending] : pending_) {
    pending.facts.set_reason("the client is gone");
    record(pending.facts, recording::v1::FORWARD_PHASE_REFUSED);
  }
  connections_.clear();
  listeners_.clear();
  pending_.clear();
  if (!forwarder_) return std::nullopt;
  LoginProcess login = std::move(*forwarder_).end();
  forwarder_.reset();
  // It is no life after the terminal.
  struct pollfd wait{.fd = login.pidfd(), .events = POLLIN, .revents = 0};
  ::poll(&wait, 1, static_cast<int>(kEndLimit.count()));
  if (login.reap()) return std::nullopt;
  return OpenLogin{.channel = 0, .process = std::move(login), .is_closed_on_record = true};
}

}  // namespace cairn::agent
