// Auth as it stands in the network: TLS on loopback and the admin socket, in this process.
#include "auth/service/auth_server.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>

#include "auth/tests/recording_fixture.h"
#include "base/file.h"
#include "tests/support/run_in_loop.h"
#include "tunnel/auth_client.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;
using testing_support::run_in_loop;

constexpr std::chrono::seconds kPatience{30};
Deadline soon() { return after(kPatience); }

class AuthOnLoopback : public testing::Test {
 protected:
  AuthOnLoopback() {
    auth_.clock.set_to_system();  // OpenSSL looks at the real time
    EXPECT_TRUE(server_.listen({.host = "127.0.0.1", .port = 0}));
    EXPECT_TRUE(server_.listen_admin(socket_));
    server_.start();
  }
  ~AuthOnLoopback() override {
    server_.stop();
    while (!connections_.empty() && loop_.run_one_until(soon()) > 0) {
    }
  }

  ServerParts parts() {
    return {.service = auth_.service.get(),
            .enrolment = auth_.enrolment.get(),
            .issuer = auth_.issuer.get(),
            .retention = auth_.retention.get(),
            .growth = &growth_,
            .connections = &connections_,
            .disk = &disk_,
            .passwords = &passwords_,
            .searches = &searches_,
            .clock = &auth_.clock};
  }

  tunnel::Address address() const { return tunnel::parse_address(server_.address(), 0).value(); }

  Result<enroll::v1::EnrollResponse> enroll(const enroll::v1::EnrollRequest& request, const std::string& pin) {
    return run_in_loop(loop_, tunnel::enroll(address(), pin, request, soon()));
  }

  std::unique_ptr<tunnel::AuthClient> admin() {
    return std::move(*run_in_loop(loop_, tunnel::AuthClient::connect_unix(socket_, soon())));
  }
  Result<std::unique_ptr<tunnel::AuthClient>> connect(std::shared_ptr<const tunnel::Identity> me) {
    return run_in_loop(loop_, tunnel::AuthClient::connect(address(), std::move(me), soon()));
  }
  Result<v1::Response> call(tunnel::AuthClient& client, const v1::Request& request) {
    return run_in_loop(loop_, client.call(request, soon()));
  }

  // A node's identity, from its token over the network.
  std::shared_ptr<const tunnel::Identity> join(const std::string& name) {
    v1::Request request;
    request.mutable_create_token()->set_type(v1::TOKEN_TYPE_NODE);
    const auto client = admin();
    const v1::Response token = call(*client, request).value();
    tunnel::KeyPair key = tunnel::generate_tls_key().value();
    enroll::v1::EnrollRequest wanted = Auth::join_request(token.create_token().secret(), name);
    wanted.mutable_join()->set_tls_public_key(key.public_der);
    const auto response = enroll(wanted, token.create_token().ca_pin());
    EXPECT_TRUE(response) << message_of(response);
    return std::make_shared<const tunnel::Identity>(
        tunnel::make_identity(key.private_pem, response->join().certificate(), response->join().authorities()).value());
  }

  // Auth's state and what the loop's coroutines hold outlive the loop.
  Archive auth_;
  GrowthWatch growth_;
  OpenConnections connections_;
  asio::io_context loop_{1};
  WorkPool disk_{2};
  WorkPool passwords_{1};
  WorkPool searches_{1};
  const std::filesystem::path socket_ = auth_.folder.path() / "auth.sock";
  AuthServer server_{loop_.get_executor(), parts(), auth_.log};
};

v1::Request status_request() {
  v1::Request request;
  request.mutable_status();
  return request;
}

TEST_F(AuthOnLoopback, AnswersRootOnTheAdminSocket) {
  const auto client = admin();
  EXPECT_EQ(call(*client, status_request())->status().identity(), "root on the auth host");
  struct stat status{};
  ASSERT_EQ(::stat(socket_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(AuthOnLoopback, AnswersANodeThatHasJoined) {
  const auto client = connect(join("web-7"));
  ASSERT_TRUE(client) << message_of(client);
  EXPECT_THAT(call(**client, status_request())->status().identity(), testing::StartsWith("node web-7 ("));
}

TEST_F(AuthOnLoopback, IsNotBelievedUnderAnotherPin) {
  const auto response = enroll(Auth::join_request("token", "web-7"), "sha256:" + std::string(64, '0'));
  EXPECT_EQ(code_of(response), Errc::kDenied);
  EXPECT_THAT(message_of(response), HasSubstr("pin"));
}

TEST_F(AuthOnLoopback, TellsAHostWhyItsTokenIsRefused) {
  const auto response = enroll(Auth::join_request("nonsense", "web-7"), auth_.authorities->ca_pin());
  EXPECT_THAT(message_of(response), HasSubstr("unknown join token"));
}

TEST_F(AuthOnLoopback, LogsPeopleInAndOutWhenTheyAreRemoved) {
  auth_.put_user("bob", {"admin"}, "correct horse");
  tunnel::KeyPair key = tunnel::generate_tls_key().value();
  enroll::v1::EnrollRequest request;
  request.mutable_login()->set_user("bob");
  request.mutable_login()->set_password("correct horse");
  request.mutable_login()->set_tls_public_key(key.public_der);
  request.mutable_login()->set_ssh_public_key(kUserKey);
  const auto response = enroll(request, auth_.authorities->ca_pin());
  ASSERT_TRUE(response) << message_of(response);
  const auto me = std::make_shared<const tunnel::Identity>(
      tunnel::make_identity(key.private_pem, response->login().certificate(), response->login().authorities()).value());
  const auto client = connect(me);
  ASSERT_TRUE(client) << message_of(client);
  EXPECT_EQ(call(**client, status_request())->status().identity(), "user bob");
  ASSERT_TRUE(auth_.store->delete_user("bob", {}));
  EXPECT_EQ(code_of(call(**client, status_request())), Errc::kDenied) << "on the connection that stands";
}

TEST_F(AuthOnLoopback, LetsARemovedNodeDoNothingMore) {
  const auto me = join("web-7");
  ASSERT_TRUE(auth_.store->delete_host(me->self.id, 1, {}));
  const auto client = connect(me);
  ASSERT_TRUE(client) << message_of(client);
  EXPECT_THAT(message_of(call(**client, status_request())), HasSubstr("join again with a new token"));
}

TEST_F(AuthOnLoopback, RefusesACertificateOfAnotherCluster) {
  const TempFolder elsewhere;
  const Authorities foreign = Authorities::open(elsewhere.path(), "testing", auth_.clock.wall_s()).value();
  const Issuer issuer(&foreign, "testing", Lifetimes{}, &auth_.clock);
  tunnel::KeyPair key = tunnel::generate_tls_key().value();
  HostRecord host;
  host.node.set_id(random_uuid());
  host.node.set_name("web-1");
  const std::string certificate = issuer.host_certificate(host, key.public_der).value();
  // It believes this cluster, which does not believe it.
  const auto me = std::make_shared<const tunnel::Identity>(
      tunnel::make_identity(key.private_pem, certificate, auth_.authorities->public_parts()).value());
  const auto client = connect(me);
  const bool is_refused = !client || !call(**client, status_request());
  EXPECT_TRUE(is_refused);
}

TEST_F(AuthOnLoopback, ShowsAFollowerWhatArrivesWhileItWaits) {
  const std::vector<std::string> chunks = auth_.recording.chunks();
  ASSERT_TRUE(auth_.upload(0, chunks[0]));
  const auto viewer = admin();
  v1::Request follow;
  follow.mutable_read_recording()->set_session_id(auth_.recording.session_id);
  follow.mutable_read_recording()->set_offset(chunks[0].size());
  follow.mutable_read_recording()->set_wait_ms(30'000);
  std::optional<Result<v1::Response>> shown;
  asio::co_spawn(loop_, viewer->call(follow, soon()), [&](std::exception_ptr escaped, Result<v1::Response> response) {
    or_die()(escaped);
    shown.emplace(std::move(response));
  });
  // The node's upload comes over a connection of its own; the viewer may wait already or not.
  tunnel::KeyPair key = tunnel::generate_tls_key().value();
  HostRecord host;
  host.node.set_id(auth_.node.id);
  host.node.set_name("web-1");
  const auto me = std::make_shared<const tunnel::Identity>(
      tunnel::make_identity(key.private_pem, auth_.issuer->host_certificate(host, key.public_der).value(),
                            auth_.authorities->public_parts())
          .value());
  const auto node = connect(me);
  ASSERT_TRUE(node) << message_of(node);
  v1::Request upload;
  upload.mutable_upload_chunk()->set_session_id(auth_.recording.session_id);
  upload.mutable_upload_chunk()->set_number(1);
  upload.mutable_upload_chunk()->set_chunk(chunks[1]);
  const auto begin = std::chrono::steady_clock::now();
  const Result<v1::Response> stored = call(**node, upload);
  ASSERT_TRUE(stored) << message_of(stored);
  EXPECT_EQ(stored->upload_chunk().durable_chunks(), 2U);
  while (!shown) loop_.run_one();
  ASSERT_TRUE(*shown) << message_of(*shown);
  EXPECT_EQ((*shown)->read_recording().data(), chunks[1]);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(25)) << "woken, not timed out";
}

TEST_F(AuthOnLoopback, LetsAFollowerGoWhenItsTimeIsUp) {
  const auto viewer = admin();
  v1::Request follow;
  follow.mutable_read_recording()->set_session_id(auth_.recording.session_id);
  follow.mutable_read_recording()->set_wait_ms(20);
  const Result<v1::Response> response = call(*viewer, follow);
  ASSERT_TRUE(response) << message_of(response);
  EXPECT_EQ(response->read_recording().data(), "");
  EXPECT_FALSE(response->read_recording().complete());
}

TEST_F(AuthOnLoopback, SaysWhatWasWrongWithAFrame) {
  asio::local::stream_protocol::socket socket(loop_);
  socket.connect(asio::local::stream_protocol::endpoint(socket_.string()));
  tunnel::Connection connection(std::move(socket));
  const auto ask = [&](std::string frame) -> std::string {
    const Result<void> written = run_in_loop(loop_, connection.write_bytes(asio::buffer(frame)));
    EXPECT_TRUE(written);
    const auto read = run_in_loop(loop_, connection.read<v1::Response>(tunnel::kMaxAuthFrameBytes));
    return read && read->has_value() ? (*read)->error().message() : "closed";
  };
  EXPECT_THAT(ask(std::string("\0\0\0\0", 4)), HasSubstr("unknown kind of request"));
  EXPECT_THAT(ask(std::string("\xff\xff\xff\xff", 4)), HasSubstr("frame of 4294967295 bytes, limit 4194304"));
}

TEST_F(AuthOnLoopback, SaysThatAFrameIsNoRequest) {
  asio::local::stream_protocol::socket socket(loop_);
  socket.connect(asio::local::stream_protocol::endpoint(socket_.string()));
  tunnel::Connection connection(std::move(socket));
  ASSERT_TRUE(run_in_loop(loop_, connection.write_frame("\xff\xff\xff")));
  const auto read = run_in_loop(loop_, connection.read<v1::Response>(tunnel::kMaxAuthFrameBytes));
  ASSERT_TRUE(read) << message_of(read);
  EXPECT_THAT((*read)->error().message(), HasSubstr("no cairn.auth.v1.Request"));
}

TEST_F(AuthOnLoopback, ReplacesTheSocketOfAnEarlierRun) {
  const std::filesystem::path path = auth_.folder.path() / "other.sock";
  {
    const UniqueFd left(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  }
  {
    const Result<AdminSocket> opened = AdminSocket::open(loop_.get_executor(), path);
    EXPECT_TRUE(opened) << message_of(opened);
  }
  EXPECT_FALSE(std::filesystem::exists(path)) << "removed at the end";
  const Result<AdminSocket> too_long = AdminSocket::open(loop_.get_executor(), "/" + std::string(200, 'x'));
  EXPECT_THAT(message_of(too_long), HasSubstr("choose a shorter --data-dir"));
}

}  // namespace
}  // namespace cairn::auth
