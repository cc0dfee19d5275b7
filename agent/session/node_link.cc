#include "agent/session/node_link.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <utility>

#include <boost/asio/use_future.hpp>

#include "proto/tunnel.pb.h"

namespace cairn::agent {
namespace {

constexpr std::chrono::seconds kAuthLimit{10};
constexpr std::chrono::seconds kAuthFresh{5};  // auth may restart while a person thinks about their passphrase

}  // namespace

NodeLink::NodeLink(tunnel::Address proxy, std::shared_ptr<const tunnel::Identity> me)
    : proxy_(std::move(proxy)), me_(std::move(me)) {
  thread_ = std::thread([this] { loop_.run(); });
}

NodeLink::~NodeLink() {
  loop_.stop();
  thread_.join();
}

// ---- the client

Result<UniqueFd> NodeLink::dial_back(std::string dial_id, std::chrono::milliseconds lease) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno("socketpair");
  UniqueFd server_end(ends[0]);
  local_.reset(ends[1]);
  if (::fcntl(local_.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("socketpair");
  auto dialled = asio::co_spawn(loop_, dial(std::move(dial_id), after(lease)), asio::use_future);
  Result<std::unique_ptr<tunnel::Pump>> client = dialled.get();
  if (!client) return fail(client, "dial back");
  client_ = std::move(*client);
  return server_end;
}

awaitable<Result<std::unique_ptr<tunnel::Pump>>> NodeLink::dial(std::string dial_id, Deadline deadline) {
  is_auth_begun_ = true;
  asio::co_spawn(loop_, prepare_auth(), or_die());
  auto connecting = tunnel::connect(proxy_, me_, tunnel::Alpn::kDial, tunnel::Role::kProxy, deadline);
  Result<std::unique_ptr<tunnel::Connection>> client = co_await std::move(connecting);
  if (!client) co_return fail(client);
  auto joining = join(client->get(), std::move(dial_id));
  const Result<void> joined = co_await within(deadline, std::move(joining));
  if (!joined) co_return fail(joined);
  auto [socket, tls] = std::move(**client).take_apart();
  co_return std::make_unique<tunnel::Pump>(std::move(socket), std::move(tls), local_.get(), local_.get());
}

awaitable<Result<void>> NodeLink::join(tunnel::Connection* client, std::string dial_id) {
  tunnel::v1::DialBack dial_back;
  dial_back.set_dial_id(std::move(dial_id));
  auto writing = client->write(dial_back);
  const Result<void> written = co_await std::move(writing);
  if (!written) co_return fail(written);
  auto reading = client->read<tunnel::v1::DialJoined>(tunnel::kMaxControlFrameBytes);
  const Result<std::optional<tunnel::v1::DialJoined>> joined = co_await std::move(reading);
  if (!joined) co_return fail(joined);
  if (!joined->has_value()) co_return fail(Errc::kClosed, "the proxy closed; the client has gone or the lease is over");
  co_return Result<void>();
}

// ---- auth

Result<auth::v1::AuthorizeSessionResponse> NodeLink::authorize(auth::v1::AuthorizeSessionRequest request) {
  auth::v1::Request call;
  *call.mutable_authorize_session() = std::move(request);
  Result<auth::v1::Response> answer = ask_auth(std::move(call));
  if (!answer) return fail(answer);
  if (!answer->has_authorize_session()) return fail(Errc::kInvalid, "auth answered something else than was asked");
  return std::move(*answer->mutable_authorize_session());
}

Result<void> NodeLink::append_audit(audit::v1::AuditEvent event) {
  auth::v1::Request call;
  *call.mutable_append_audit()->mutable_event() = std::move(event);
  const Result<auth::v1::Response> answer = ask_auth(std::move(call));
  if (!answer) return fail(answer);
  return {};
}

Result<auth::v1::Response> NodeLink::ask_auth(auth::v1::Request request) {
  auto asked = asio::co_spawn(loop_, ask(std::move(request), after(kAuthLimit)), asio::use_future);
  return asked.get();
}

awaitable<void> NodeLink::prepare_auth() {
  auto connecting = tunnel::AuthClient::connect(proxy_, me_, after(kAuthLimit));
  Result<std::unique_ptr<tunnel::AuthClient>> client = co_await std::move(connecting);
  if (client) auth_ = std::move(*client);  // else whoever asks hears why
  auth_fresh_until_ = after(kAuthFresh);
  is_auth_begun_ = false;
  auth_settled_.ring();
}

awaitable<Result<std::unique_ptr<tunnel::AuthClient>>> NodeLink::reach_auth(Deadline deadline) {
  if (is_auth_begun_) co_await auth_settled_.wait_until(deadline);
  const bool is_fresh = std::chrono::steady_clock::now() < auth_fresh_until_;
  std::unique_ptr<tunnel::AuthClient> prepared = std::move(auth_);
  if (prepared && is_fresh) co_return prepared;
  auto connecting = tunnel::AuthClient::connect(proxy_, me_, deadline);
  co_return co_await std::move(connecting);
}

awaitable<Result<auth::v1::Response>> NodeLink::ask(auth::v1::Request request, Deadline deadline) {
  auto reaching = reach_auth(deadline);
  Result<std::unique_ptr<tunnel::AuthClient>> client = co_await std::move(reaching);
  if (!client) co_return fail(client);
  auto calling = (*client)->call(std::move(request), deadline);
  co_return co_await std::move(calling);
}

// ---- signals

void NodeLink::watch_signals(std::function<void()> on_end) {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  signals_.async_wait([on_end = std::move(on_end)](const boost::system::error_code& error, int) {
    if (!error) on_end();
  });
}

}  // namespace cairn::agent
