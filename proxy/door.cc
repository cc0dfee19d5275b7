#include "proxy/door.h"

#include <optional>

#include <fmt/format.h>

#include "tunnel/networks.h"
#include "tunnel/relay.h"

namespace cairn::proxy {
namespace {

using tunnel::Alpn;
using tunnel::v1::SshResponse;

const std::vector<Alpn> kServed = {Alpn::kTunnel, Alpn::kDial, Alpn::kSsh, Alpn::kHttp};
constexpr std::chrono::milliseconds kAuthConnectLimit{5000};
// While places go back at all, who finds none waits in the listener's queue (listen(2)). When none has for so long,
// those who hold them mean to stay, and waiting would only hide that.
constexpr std::chrono::milliseconds kStandstill{1000};

bool is_for_auth(Alpn alpn) { return alpn == Alpn::kAuth || alpn == Alpn::kEnroll; }

SshResponse outcome(SshResponse::Outcome outcome, std::string message) {
  SshResponse response;
  response.set_outcome(outcome);
  response.set_message(std::move(message));
  return response;
}

}  // namespace

// Somebody who has proved nothing yet.
class Door::Stranger {
 public:
  explicit Stranger(Door* door)
      : place(&door->admission_), counted_(&door->metrics_, Metrics::Name::kHandshakes), door_(door) {}
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() {
    ++door_->places_returned_;
    door_->place_returned_->ring();
  }
  Admission::Place place;

 private:
  Counted counted_;
  Door* door_;
};

// A client on its way to a node, or joined to it; counted as long as it lives.
class Door::Session {
 public:
  explicit Session(Door* door) : door_(door) { ++door_->sessions_; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    --door_->sessions_;
    door_->changed_->ring();
  }

 private:
  Door* door_;
};

Door::Door(tunnel::Listener listener, std::shared_ptr<const tunnel::Identity> me, DoorOptions options, Log log)
    : listener_(std::move(listener)),
      options_(std::move(options)),
      log_(std::move(log)),
      http_(me->self.cluster, &metrics_, [this] { return !is_draining_; }),
      admission_(options_.handshakes),
      changed_(std::make_unique<Doorbell>(listener_.executor())),
      place_returned_(std::make_unique<Doorbell>(listener_.executor())) {}

Result<void> Door::present(std::shared_ptr<const tunnel::Identity> me) {
  Result<std::shared_ptr<const tunnel::ServerTls>> tls = tunnel::make_server_tls(std::move(me), kServed);
  if (!tls) return fail(tls);
  tls_ = std::move(*tls);
  return {};
}

awaitable<void> Door::serve() {
  const std::shared_ptr<Door> alive = shared_from_this();
  for (;;) {
    if (admission_.is_full()) co_await await_place();
    Result<tunnel::Socket> socket = co_await listener_.accept();
    if (!socket) co_return;
    if (admission_.is_full()) {
      metrics_.add(Metrics::Name::kRefused, 1, "too_many_handshakes");
      crowded("too_many_handshakes",
              fmt::format("{} handshakes are under way, the limit, and none ends", admission_.taken()));
      continue;  // closes it
    }
    asio::co_spawn(co_await asio::this_coro::executor, receive(alive, std::move(*socket)), or_die());
  }
}

// Returns when there is a place, or none has been given back for kStandstill.
awaitable<void> Door::await_place() {
  while (admission_.is_full() && stood_still_at_ != places_returned_) {
    metrics_.add(Metrics::Name::kAcceptPauses, 1);
    crowded("queueing", fmt::format("{} handshakes are under way, the limit; further ones wait", admission_.taken()));
    const uint64_t before = places_returned_;
    const Deadline limit = after(kStandstill);
    while (places_returned_ == before && std::chrono::steady_clock::now() < limit)
      co_await place_returned_->wait_until(limit);
    if (places_returned_ == before) stood_still_at_ = before;
  }
}

void Door::reconfigure(DoorOptions options) {
  options_ = std::move(options);
  admission_.set_limits(options_.handshakes);
}

awaitable<size_t> Door::drain(std::chrono::milliseconds limit) {
  const std::shared_ptr<Door> alive = shared_from_this();
  const Deadline deadline = after(limit);
  is_draining_ = true;
  log_.info("proxy.draining", kv("sessions", sessions_), kv("agents", agents_.size()), kv("limit_ms", limit.count()));
  while (dials_.size() > 0 && std::chrono::steady_clock::now() < deadline) co_await changed_->wait_until(deadline);
  listener_.close();
  agents_.close_all();
  while (sessions_ > 0 && std::chrono::steady_clock::now() < deadline) co_await changed_->wait_until(deadline);
  co_return sessions_;
}

// Strangers in numbers are one line, not thousands.
void Door::crowded(std::string_view reason, const std::string& sentence) {
  if (crowds_.may_speak())
    log_.warn("handshakes.limited", kv("reason", reason), kv("error", sentence), kv("unsaid", crowds_.take_unsaid()));
}

void Door::refused(std::string_view reason, const Error& error, const std::string& from) {
  metrics_.add(Metrics::Name::kRefused, 1, reason);
  // A certificate that is refused is somebody's trouble, and so is nonsense from its owner; what is no client of ours
  // is the Internet's weather.
  const bool is_of_ours = error.code == Errc::kUnauthenticated || error.code == Errc::kInvalid ||
                          error.code == Errc::kTooLarge || error.code == Errc::kTruncated;
  if (is_of_ours && reason != "greeting" && complaints_.may_speak()) {
    log_.warn("connection.refused", kv("from", from), kv("reason", reason), kv_error(error),
              kv("unsaid", complaints_.take_unsaid()));
  } else {
    log_.debug("connection.refused", kv("from", from), kv("reason", reason), kv_error(error));
  }
}

awaitable<std::unique_ptr<tunnel::Connection>> Door::admit(tunnel::Arrival* arrival, Deadline deadline) {
  const std::string from = arrival->remote_address();
  Result<std::unique_ptr<tunnel::Connection>> connection = co_await arrival->secure(tls_, deadline);
  if (!connection) {
    refused("handshake", connection.error(), from);
    co_return nullptr;
  }
  co_return std::move(*connection);
}

// `alive` keeps this door as long as the coroutine runs.
awaitable<void> Door::receive(std::shared_ptr<Door> alive, tunnel::Socket socket) {
  tunnel::Arrival arrival(std::move(socket));
  const Deadline deadline = after(alive->options_.handshake_limit);
  std::optional<Stranger> stranger;
  stranger.emplace(this);
  if (Result<void> identified = co_await identify(&arrival, &stranger->place, deadline); !identified) co_return;
  const Result<Alpn> alpn = co_await arrival.greet(deadline);
  if (!alpn) co_return refused("greeting", alpn.error(), arrival.remote_address());
  metrics_.add(Metrics::Name::kConnections, 1, tunnel::alpn_name(*alpn));
  if (is_for_auth(*alpn)) {
    stranger.reset();
    co_return co_await relay_to_auth(arrival.take_over(), arrival.hello());
  }
  std::unique_ptr<tunnel::Connection> connection = co_await admit(&arrival, deadline);
  // Pages are served to anybody: such a client stays a stranger.
  if (*alpn != Alpn::kHttp) stranger.reset();
  if (connection) co_await route(std::move(connection));
}

awaitable<Result<void>> Door::identify(tunnel::Arrival* arrival, Admission::Place* place, Deadline deadline) {
  const std::string nearest = arrival->remote_address();
  // The list was checked when it was read; an address that is none (the peer has gone) is no balancer.
  const Result<bool> is_balancer = options_.balancers.empty()
                                       ? Result<bool>(false)
                                       : tunnel::is_in_networks(tunnel::host_of(nearest), options_.balancers);
  if (is_balancer && *is_balancer) {
    if (Result<void> taken = co_await arrival->take_proxy_header(deadline); !taken) {
      refused("proxy_header", taken.error(), nearest);
      co_return taken;
    }
  }
  Result<void> counted = place->belongs_to(arrival->remote_address());
  if (!counted) {
    metrics_.add(Metrics::Name::kRefused, 1, "too_many_of_address");
    crowded("too_many_of_address", counted.error().message);
  }
  co_return counted;
}

awaitable<void> Door::route(std::unique_ptr<tunnel::Connection> connection) {
  const tunnel::Role role = connection->peer().role;
  switch (connection->alpn()) {
    case Alpn::kHttp: co_await http_.serve(std::move(connection)); co_return;
    case Alpn::kTunnel:
      if (role == tunnel::Role::kNode) co_await serve_agent(std::move(connection));
      co_return;
    case Alpn::kDial:
      if (role == tunnel::Role::kNode) co_await accept_dial_back(std::move(connection));
      co_return;
    case Alpn::kSsh:
      if (role == tunnel::Role::kUser) co_await serve_client(std::move(connection));
      co_return;
    default: co_return;
  }
}

awaitable<void> Door::relay_to_auth(std::unique_ptr<tunnel::Connection> client, std::string hello) {
  auto connecting = tunnel::connect_bare(options_.auth, after(kAuthConnectLimit));
  Result<std::unique_ptr<tunnel::Connection>> auth = co_await std::move(connecting);
  if (!auth) {
    metrics_.add(Metrics::Name::kRefused, 1, "auth_unreachable");
    if (complaints_.may_speak())
      log_.warn("auth.unreachable", kv("address", tunnel::address_text(options_.auth)), kv_error(auth.error()));
    co_return;
  }
  auto passing = (*auth)->write_bytes(asio::buffer(hello));
  if (Result<void> passed = co_await within(after(options_.handshake_limit), std::move(passing)); !passed) co_return;
  co_await join(client.get(), auth->get());
}

awaitable<void> Door::join(tunnel::Connection* left, tunnel::Connection* right) {
  const Counted relayed(&metrics_, Metrics::Name::kRelays);
  std::function<void(size_t)> count = [this](size_t bytes) {
    metrics_.add(Metrics::Name::kRelayedBytes, static_cast<int64_t>(bytes));
  };
  co_await tunnel::relay(left, right, std::move(count));
}

awaitable<void> Door::serve_agent(std::unique_ptr<tunnel::Connection> connection) {
  if (is_draining_) co_return metrics_.add(Metrics::Name::kRefused, 1, "draining");
  const auto channel = std::make_shared<ControlChannel>(std::move(connection));
  const std::string id = channel->node().id;
  const std::string name = channel->node().name;
  agents_.add(channel);
  log_.info("agent.connected", kv("node", name), kv("id", id));
  const Counted connected(&metrics_, Metrics::Name::kAgents);
  ControlChannel::OnRefused on_refused = [this, id](std::string dial_id, std::string reason) {
    dials_.refuse(dial_id, id, std::move(reason));
  };
  const Error why = co_await channel->serve(std::move(on_refused));
  agents_.remove(channel.get());
  log_.info("agent.disconnected", kv("node", name), kv("id", id), kv_error(why));
}

awaitable<void> Door::accept_dial_back(std::unique_ptr<tunnel::Connection> connection) {
  auto reading = connection->read<tunnel::v1::DialBack>(tunnel::kMaxControlFrameBytes);
  Result<std::optional<tunnel::v1::DialBack>> read =
      co_await within(after(options_.handshake_limit), std::move(reading));
  if (!read) co_return refused("dial_back", read.error(), connection->remote_address());
  const std::optional<tunnel::v1::DialBack>& dial_back = *read;
  if (!dial_back) co_return;
  const std::string from = connection->remote_address();
  if (Result<void> joined = dials_.join(dial_back->dial_id(), std::move(connection)); !joined)
    refused("dial_back", joined.error(), from);
}

awaitable<Result<DialBoard::Joined>> Door::reach(std::string node, std::string client_address, SshResponse* refusal) {
  if (is_draining_) {
    *refusal = outcome(SshResponse::OUTCOME_DRAINING, "this proxy is going down; use another one, or try again soon");
    co_return fail(Errc::kUnavailable, refusal->message());
  }
  const std::vector<std::shared_ptr<ControlChannel>> found = agents_.find(node);
  if (found.empty())
    *refusal = outcome(SshResponse::OUTCOME_NOT_CONNECTED, fmt::format("node \"{}\" is not connected", node));
  if (found.size() > 1)
    *refusal = outcome(SshResponse::OUTCOME_AMBIGUOUS,
                       fmt::format("{} connected nodes are named \"{}\"; use the UUID (cairn ls)", found.size(), node));
  if (found.size() != 1) co_return fail(Errc::kUnavailable, refusal->message());

  tunnel::v1::Dial dial;
  dial.set_dial_id(dials_.announce(co_await asio::this_coro::executor, found.front()->node().id));
  dial.set_lease_ms(static_cast<uint32_t>(options_.dial_lease.count()));
  dial.set_client_address(std::move(client_address));
  if (Result<void> sent = found.front()->dial(dial); !sent)
    dials_.refuse(dial.dial_id(), found.front()->node().id, sent.error().message);
  Result<DialBoard::Joined> joined = co_await dials_.wait(dial.dial_id(), options_.dial_lease);
  changed_->ring();
  if (!joined)
    *refusal =
        outcome(joined.error().code == Errc::kTimeout ? SshResponse::OUTCOME_TIMEOUT : SshResponse::OUTCOME_REFUSED,
                fmt::format("node \"{}\": {}", node, joined.error().message));
  co_return joined;
}

awaitable<void> Door::serve_client(std::unique_ptr<tunnel::Connection> client) {
  auto reading = client->read<tunnel::v1::SshRequest>(tunnel::kMaxControlFrameBytes);
  Result<std::optional<tunnel::v1::SshRequest>> read =
      co_await within(after(options_.handshake_limit), std::move(reading));
  if (!read) co_return refused("ssh_request", read.error(), client->remote_address());
  const std::optional<tunnel::v1::SshRequest>& request = *read;
  if (!request) co_return;
  const Session session(this);

  SshResponse response = outcome(SshResponse::OUTCOME_OK, "");
  Result<DialBoard::Joined> worker = co_await reach(request->node(), client->remote_address(), &response);
  metrics_.add(Metrics::Name::kDials, 1, SshResponse::Outcome_Name(response.outcome()));
  log_.debug("client.served", kv("user", client->peer().id), kv("node", request->node()),
             kv("outcome", SshResponse::Outcome_Name(response.outcome())));
  auto telling = client->write(response);
  Result<void> told = co_await within(after(options_.handshake_limit), std::move(telling));
  if (!worker) {
    if (told) co_await client->close_gracefully();
    co_return;
  }
  if (!told) co_return;
  auto greeting = (*worker)->write(tunnel::v1::DialJoined());
  if (Result<void> greeted = co_await within(after(options_.handshake_limit), std::move(greeting)); !greeted) co_return;
  co_await join(client.get(), worker->get());
}

}  // namespace cairn::proxy
