#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include <gmock/gmock.h>

#include "agent/tests/capture/live_capture.h"

namespace cairn::agent {
namespace {

using recording::v1::Connect;
using testing::SizeIs;

struct Loopback {
  const char* name;
  int family;
  const char* address;  // as inet_pton(3) reads it
  uint32_t recorded_family;
};

std::string address_bytes(const Loopback& loopback) {
  char bytes[16]{};
  EXPECT_EQ(::inet_pton(loopback.family, loopback.address, bytes), 1);
  return {bytes, loopback.recorded_family == 4 ? 4U : 16U};
}

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Endpoint endpoint(const Loopback& loopback, uint16_t port) {
  Endpoint made;
  if (loopback.family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
    *v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    ::inet_pton(AF_INET, loopback.address, &v4->sin_addr);
    made.length = sizeof(*v4);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    ::inet_pton(AF_INET6, loopback.address, &v6->sin6_addr);
    made.length = sizeof(*v6);
  }
  return made;
}

const sockaddr* as_sockaddr(const Endpoint& endpoint) { return reinterpret_cast<const sockaddr*>(&endpoint.storage); }

// A socket bound to a free port, that listens or not.
struct Listener {
  explicit Listener(const Loopback& loopback, bool listens)
      : socket(::socket(loopback.family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const Endpoint any = endpoint(loopback, 0);
    is_there = ::bind(socket.get(), as_sockaddr(any), any.length) == 0 && (!listens || ::listen(socket.get(), 8) == 0);
    Endpoint bound;
    bound.length = sizeof(bound.storage);
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
    port = ntohs(loopback.family == AF_INET ? reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port
                                            : reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port);
  }
  UniqueFd socket;
  uint16_t port = 0;
  bool is_there = false;
};

int connect_to(const Loopback& loopback, uint16_t port) {
  const Endpoint to = endpoint(loopback, port);
  const int socket = ::socket(loopback.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return ::connect(socket, as_sockaddr(to), to.length) == 0 ? 0 : errno;
}

class ConnectByATaggedTask : public LiveCapture, public testing::WithParamInterface<Loopback> {};

TEST_P(ConnectByATaggedTask, IsRecordedAsAttemptAndResult) {
  const Listener listener(GetParam(), true);
  if (!listener.is_there) GTEST_SKIP() << "the host has no " << GetParam().address;
  const Recorded recorded = record([&] { return connect_to(GetParam(), listener.port); });
  recorded.expect_whole();
  EXPECT_EQ(recorded.exits()[0].exit_status(), 0U);
  ASSERT_THAT(recorded.connects(), SizeIs(2));
  const Connect attempt = recorded.connects()[0];
  const Connect result = recorded.connects()[1];
  EXPECT_EQ(attempt.phase(), recording::v1::CONNECT_PHASE_ATTEMPT);
  EXPECT_EQ(result.phase(), recording::v1::CONNECT_PHASE_RESULT);
  EXPECT_EQ(result.result(), 0);
  EXPECT_EQ(attempt.socket_cookie(), result.socket_cookie());
  EXPECT_NE(attempt.socket_cookie(), 0U);
  for (const Connect& event : {attempt, result}) {
    EXPECT_EQ(event.family(), GetParam().recorded_family);
    EXPECT_EQ(event.remote_address(), address_bytes(GetParam()));
    EXPECT_EQ(event.remote_port(), listener.port);
    EXPECT_EQ(event.process().pid(), recorded.exits()[0].process().pid());
  }
  EXPECT_EQ(result.local_address(), address_bytes(GetParam()));
  EXPECT_NE(result.local_port(), 0U);
}

TEST_P(ConnectByATaggedTask, ThatIsRefusedSaysSo) {
  const Listener nobody(GetParam(), false);
  if (!nobody.is_there) GTEST_SKIP() << "the host has no " << GetParam().address;
  const Recorded recorded = record([&] { return connect_to(GetParam(), nobody.port); });
  recorded.expect_whole();
  EXPECT_EQ(recorded.exits()[0].exit_status(), static_cast<uint32_t>(ECONNREFUSED));
  ASSERT_THAT(recorded.connects(), SizeIs(2));
  EXPECT_EQ(recorded.connects()[1].result(), -ECONNREFUSED);
  EXPECT_EQ(recorded.connects()[1].remote_address(), address_bytes(GetParam()));
  EXPECT_EQ(recorded.connects()[1].remote_port(), nobody.port);
}

INSTANTIATE_TEST_SUITE_P(
    Loopbacks, ConnectByATaggedTask,
    testing::Values(Loopback{.name = "v4", .family = AF_INET, .address = "127.0.0.1", .recorded_family = 4},
                    Loopback{.name = "v6", .family = AF_INET6, .address = "::1", .recorded_family = 6},
                    Loopback{
                        .name = "v4_mapped", .family = AF_INET6, .address = "::ffff:127.0.0.1", .recorded_family = 6}),
    [](const auto& loopback) { return std::string(loopback.param.name); });

class ConnectWithoutWaiting : public LiveCapture {};

TEST_F(ConnectWithoutWaiting, IsRecordedWithTheLaterResultOfTheSameSocket) {
  const Loopback loopback{.name = "v4", .family = AF_INET, .address = "127.0.0.1", .recorded_family = 4};
  const Listener listener(loopback, true);
  const Recorded recorded = record([&] {
    const Endpoint to = endpoint(loopback, listener.port);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (::connect(socket, as_sockaddr(to), to.length) == 0 || errno != EINPROGRESS) return 1;
    pollfd waited{.fd = socket, .events = POLLOUT, .revents = 0};
    return ::poll(&waited, 1, 10'000) == 1 ? 0 : 2;
  });
  recorded.expect_whole();
  ASSERT_THAT(recorded.connects(), SizeIs(2));
  EXPECT_EQ(recorded.connects()[1].phase(), recording::v1::CONNECT_PHASE_RESULT);
  EXPECT_EQ(recorded.connects()[1].result(), 0);
}

TEST_F(ConnectWithoutWaiting, ThatIsGivenUpHasACancelledResult) {
  const Loopback nowhere{.name = "v4", .family = AF_INET, .address = "127.0.0.1", .recorded_family = 4};
  const Listener listener(nowhere, true);
  const Recorded recorded = record([&] {
    // The backlog is filled until a connection stays unanswered; closing that one gives it up.
    for (int i = 0; i < 64; ++i) {
      const Endpoint to = endpoint(nowhere, listener.port);
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(socket, as_sockaddr(to), to.length);
      pollfd waited{.fd = socket, .events = POLLOUT, .revents = 0};
      if (::poll(&waited, 1, 200) == 0) return ::close(socket);
    }
    return 1;
  });
  recorded.expect_whole();
  EXPECT_EQ(recorded.exits()[0].exit_status(), 0U);
  ASSERT_FALSE(recorded.connects().empty());
  EXPECT_EQ(recorded.connects().back().phase(), recording::v1::CONNECT_PHASE_RESULT);
  EXPECT_EQ(recorded.connects().back().result(), -ECANCELED);
}

}  // namespace
}  // namespace cairn::agent
