#include "auth/service/auth_server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

namespace cairn::auth {
namespace {

constexpr std::chrono::seconds kHandshakeLimit{10};
constexpr std::chrono::seconds kEnrolmentLimit{30};
constexpr std::chrono::seconds kWriteLimit{30};
// Who is silent for so long is gone, or can connect again; a proxy reports every few seconds.
constexpr std::chrono::minutes kIdleLimit{10};
// No connection outlives a certificate by more than this.
constexpr std::chrono::hours kConnectionLimit{12};
constexpr std::chrono::milliseconds kLook{60'000};
constexpr std::chrono::milliseconds kRetentionRound{10'000};
constexpr uint32_t kMaxWaitMs = 30'000;
constexpr size_t kMaxLoginsWaiting = 64;

Subject subject_of(const tunnel::Peer& peer) {
  Subject subject;
  switch (peer.role) {
    case tunnel::Role::kNode: subject.kind = Subject::Kind::kNode; break;
    case tunnel::Role::kProxy: subject.kind = Subject::Kind::kProxy; break;
    case tunnel::Role::kUser:
    case tunnel::Role::kAuth: subject.kind = Subject::Kind::kUser; break;
  }
  const bool is_person = subject.kind == Subject::Kind::kUser;
  subject.name = is_person ? peer.id : peer.name;
  if (!is_person) subject.id = peer.id;
  return subject;
}

// Whether somebody who follows a live recording should wait on.
bool is_nothing_new(const v1::Response& response) {
  return response.has_read_recording() && response.read_recording().data().empty() &&
         response.read_recording().tail().empty() && !response.read_recording().complete();
}

}  // namespace

AuthServer::AuthServer(asio::any_io_executor executor, ServerParts parts, Log log)
    : executor_(std::move(executor)), parts_(parts), log_(std::move(log)) {}

Result<void> AuthServer::renew_identity() {
  Result<tunnel::Identity> identity = parts_.issuer->own_identity();
  if (!identity) return fail(identity, "auth's own certificate");
  renew_at_wall_s_ = identity->renewal_due_s();
  auto me = std::make_shared<const tunnel::Identity>(std::move(*identity));
  Result<std::shared_ptr<const tunnel::ServerTls>> tls =
      tunnel::make_server_tls(std::move(me), {tunnel::Alpn::kAuth, tunnel::Alpn::kEnroll});
  if (!tls) return fail(tls);
  tls_ = std::move(*tls);
  return {};
}

Result<void> AuthServer::listen(const tunnel::Address& address) {
  if (Result<void> renewed = renew_identity(); !renewed) return renewed;
  Result<tunnel::Listener> listener = tunnel::Listener::open(executor_, address);
  if (!listener) return fail(listener);
  listener_ = std::make_unique<tunnel::Listener>(std::move(*listener));
  return {};
}

Result<void> AuthServer::listen_admin(const std::filesystem::path& socket) {
  Result<AdminSocket> admin = AdminSocket::open(executor_, socket);
  if (!admin) return fail(admin);
  admin_ = std::make_unique<AdminSocket>(std::move(*admin));
  return {};
}

void AuthServer::start() {
  asio::co_spawn(executor_, accept_network(), or_die());
  asio::co_spawn(executor_, accept_admin(), or_die());
  asio::co_spawn(executor_, keep_identity(), or_die());
  asio::co_spawn(executor_, keep_recordings(), or_die());
}

void AuthServer::stop() {
  is_stopped_ = true;
  listener_->close();
  admin_->close();
  parts_.connections->close_all();
}

awaitable<void> AuthServer::keep_identity() {
  while (!is_stopped_) {
    co_await sleep_for(kLook);
    if (parts_.clock->wall_s() < renew_at_wall_s_) continue;
    if (const Result<void> renewed = renew_identity(); !renewed)
      log_.error("auth.not_renewed", kv_error(renewed.error()));
  }
}

// As long as retention rules say, and no longer.
awaitable<void> AuthServer::keep_recordings() {
  while (!is_stopped_) {
    auto round = [retention = parts_.retention] {
      retention->run_round();
      return true;
    };
    std::ignore = co_await parts_.disk->run(std::move(round));
    co_await sleep_for(kRetentionRound);
  }
}

awaitable<void> AuthServer::accept_network() {
  while (!is_stopped_) {
    Result<tunnel::Socket> socket = co_await listener_->accept();
    if (!socket) co_return;
    asio::co_spawn(executor_, serve(std::move(*socket)), or_die());
  }
}

awaitable<void> AuthServer::accept_admin() {
  while (!is_stopped_) {
    Result<std::unique_ptr<tunnel::Connection>> connection = co_await admin_->accept();
    if (!connection) co_return;
    Subject root{.kind = Subject::Kind::kRoot, .name = {}, .id = {}};
    asio::co_spawn(executor_, converse(std::move(*connection), std::move(root)), or_die());
  }
}

awaitable<void> AuthServer::serve(tunnel::Socket socket) {
  tunnel::Arrival arrival(std::move(socket));
  const Deadline deadline = after(kHandshakeLimit);
  const Result<tunnel::Alpn> alpn = co_await arrival.greet(deadline);
  if (!alpn) {
    log_.debug("connection.refused", kv("peer", arrival.remote_address()), kv_error(alpn.error()));
    co_return;
  }
  std::shared_ptr<const tunnel::ServerTls> tls = tls_;
  Result<std::unique_ptr<tunnel::Connection>> connection = co_await arrival.secure(std::move(tls), deadline);
  if (!connection) {
    log_.warn("connection.refused", kv_error(connection.error()));
    co_return;
  }
  if (*alpn == tunnel::Alpn::kEnroll) {
    co_await serve_enrolment(std::move(*connection));
    co_return;
  }
  Subject caller = subject_of((*connection)->peer());
  if ((*connection)->peer().role == tunnel::Role::kAuth) co_return;  // auth does not ask itself
  co_await converse(std::move(*connection), std::move(caller));
}

awaitable<Result<void>> AuthServer::send(tunnel::Connection* connection, std::string body) {
  auto writing = connection->write_frame(std::move(body));
  Result<void> written = co_await within(after(kWriteLimit), std::move(writing));
  co_return written;
}

awaitable<void> AuthServer::serve_enrolment(std::unique_ptr<tunnel::Connection> connection) {
  const OpenConnections::Entry entry(parts_.connections, connection.get());
  auto reading = connection->read<enroll::v1::EnrollRequest>(tunnel::kMaxControlFrameBytes);
  Result<std::optional<enroll::v1::EnrollRequest>> read = co_await within(after(kEnrolmentLimit), std::move(reading));
  enroll::v1::EnrollResponse response;
  if (!read) {
    log_.debug("enroll.malformed", kv_error(read.error()));  // anybody can send it
    response.mutable_error()->set_message(read.error().message);
  } else if (std::optional<enroll::v1::EnrollRequest>& request = *read; request) {
    response = co_await enroll(std::move(*request));
  } else {
    co_return;
  }
  const Result<void> sent = co_await send(connection.get(), response.SerializeAsString());
  if (sent) co_await connection->close_gracefully();
}

awaitable<enroll::v1::EnrollResponse> AuthServer::enroll(enroll::v1::EnrollRequest request) {
  if (request.has_login() && logins_waiting_ >= kMaxLoginsWaiting) {
    enroll::v1::EnrollResponse busy;
    busy.mutable_error()->set_message("auth is busy with other logins; try again in a moment");
    co_return busy;
  }
  auto work = [enrolment = parts_.enrolment, request = &request] { return enrolment->answer(*request); };
  if (!request.has_login()) {
    enroll::v1::EnrollResponse joined = co_await parts_.disk->run(std::move(work));
    co_return joined;
  }
  ++logins_waiting_;
  enroll::v1::EnrollResponse response = co_await parts_.passwords->run(std::move(work));
  --logins_waiting_;
  co_return response;
}

awaitable<void> AuthServer::converse(std::unique_ptr<tunnel::Connection> connection, Subject caller) {
  const OpenConnections::Entry entry(parts_.connections, connection.get());
  const Deadline end = after(kConnectionLimit);
  Conversation conversation;
  while (!is_stopped_ && std::chrono::steady_clock::now() < end) {
    auto reading = connection->read<v1::Request>(tunnel::kMaxAuthFrameBytes);
    Result<std::optional<v1::Request>> read = co_await within(std::min(end, after(kIdleLimit)), std::move(reading));
    if (!read && (read.error().code == Errc::kInvalid || read.error().code == Errc::kTooLarge)) {
      log_.warn("request.malformed", kv("by", caller.text()), kv_error(read.error()));
      v1::Response malformed = refusal(read.error());
      std::ignore = co_await send(connection.get(), malformed.SerializeAsString());  // it is closed either way
      break;
    }
    if (!read) co_return;  // gone, or silent for too long
    const std::optional<v1::Request>& request = *read;
    if (!request) break;
    v1::Response response = co_await respond(&caller, &*request, &conversation);
    std::string body = response.SerializeAsString();
    if (body.size() > tunnel::kMaxAuthFrameBytes) {
      const Error too_large{make_error_code(Errc::kTooLarge),
                            fmt::format("the answer has {} bytes, limit {}; ask for fewer, or by name", body.size(),
                                        tunnel::kMaxAuthFrameBytes)};
      body = refusal(too_large).SerializeAsString();
    }
    const Result<void> sent = co_await send(connection.get(), std::move(body));
    if (!sent) co_return;
  }
  co_await connection->close_gracefully();
}

awaitable<v1::Response> AuthServer::respond(const Subject* caller, const v1::Request* request,
                                            Conversation* conversation) {
  if (request->has_read_recording() && request->read_recording().wait_ms() > 0) {
    v1::Response followed = co_await follow(caller, request, conversation);
    co_return followed;
  }
  v1::Response response = co_await ask(caller, request, conversation);
  if (response.has_upload_chunk()) parts_.growth->grown(request->upload_chunk().session_id());
  if (response.has_upload_tail()) parts_.growth->grown(request->upload_tail().session_id());
  co_return response;
}

awaitable<v1::Response> AuthServer::follow(const Subject* caller, const v1::Request* request,
                                           Conversation* conversation) {
  const uint32_t wait_ms = std::min(request->read_recording().wait_ms(), kMaxWaitMs);
  const Deadline deadline = after(std::chrono::milliseconds(wait_ms));
  v1::Response response = co_await ask(caller, request, conversation);
  if (!is_nothing_new(response)) co_return response;
  GrowthWatch::Waiter waiter(parts_.growth, executor_, response.read_recording().session_id());
  for (;;) {
    response = co_await ask(caller, request, conversation);
    if (!is_nothing_new(response) || is_stopped_ || std::chrono::steady_clock::now() >= deadline) co_return response;
    co_await waiter.wait(deadline);
  }
}

awaitable<v1::Response> AuthServer::ask(const Subject* caller, const v1::Request* request, Conversation* conversation) {
  const bool is_password = request->has_set_password() || request->has_put_user();
  const bool is_search = request->has_search_recordings() || request->has_find_moment();
  WorkPool* pool = is_password ? parts_.passwords : is_search ? parts_.searches : parts_.disk;
  auto work = [service = parts_.service, caller, request, conversation] {
    return service->answer(*caller, *request, *conversation);
  };
  v1::Response response = co_await pool->run(std::move(work));
  co_return response;
}

}  // namespace cairn::auth
