#include "tunnel/http_connect.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tunnel/relay.h"
#include "tunnel/tests/loopback.h"

namespace cairn::tunnel {
namespace {

using testing::HasSubstr;

struct Way {
  const char* name;
  const char* https_proxy;
  const char* no_proxy;
  const char* host;
  const char* expected;  // the proxy's address; empty: directly; null: refused
};
void PrintTo(const Way& one, std::ostream* out) { *out << one.name; }

class WayOut : public testing::TestWithParam<Way> {};

TEST_P(WayOut, IsWhatTheVariablesSay) {
  const auto proxy = http_proxy_for({.host = GetParam().host, .port = 3080},
                                    {.https_proxy = GetParam().https_proxy, .no_proxy = GetParam().no_proxy});
  if (GetParam().expected == nullptr) {
    EXPECT_FALSE(proxy.has_value());
    return;
  }
  ASSERT_TRUE(proxy.has_value()) << proxy.error().message;
  EXPECT_EQ(*proxy ? address_text((*proxy)->address) : "", GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, WayOut,
    testing::Values(Way{"none", "", "", "p.example.com", ""},
                    Way{"url", "http://out:3128", "", "p.example.com", "out:3128"},
                    Way{"url_with_slash", "http://out:3128/", "", "p.example.com", "out:3128"},
                    Way{"without_scheme", "out:3128", "", "p.example.com", "out:3128"},
                    Way{"without_port", "http://out", "", "p.example.com", "out:1080"},
                    Way{"v6", "http://[::1]:3128", "", "p.example.com", "[::1]:3128"},
                    Way{"with_password", "http://me:p%40ss@out:3128", "", "p.example.com", "out:3128"},
                    Way{"tls_proxy", "https://out:3128", "", "p.example.com", nullptr},
                    Way{"socks", "socks5://out:3128", "", "p.example.com", nullptr},
                    Way{"nonsense", "http://:x", "", "p.example.com", nullptr},
                    Way{"everything_excepted", "http://out", "*", "p.example.com", ""},
                    Way{"host_excepted", "http://out", "a.org, P.example.com", "p.example.com", ""},
                    Way{"domain_excepted", "http://out", "example.com", "p.example.com", ""},
                    Way{"dotted_domain_excepted", "http://out", ".example.com", "p.example.com", ""},
                    Way{"end_of_a_name_is_no_domain", "http://out", "ample.com", "p.example.com", "out:1080"},
                    Way{"address_excepted", "http://out", "192.0.2.7", "192.0.2.7", ""},
                    Way{"network_excepted", "http://out", "localhost,192.0.2.0/24", "192.0.2.7", ""},
                    Way{"other_network", "http://out", "192.0.2.0/24", "192.0.3.7", "out:1080"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(HttpProxyVariable, HoldsCredentialsPercentEncoded) {
  const auto proxy =
      http_proxy_for({.host = "p", .port = 1}, {.https_proxy = "http://me:p%40s%2fs%@out:3128", .no_proxy = ""});
  ASSERT_TRUE(proxy && *proxy);
  EXPECT_EQ((*proxy)->credentials, "me:p@s/s%");
}

// An HTTP proxy that gives `answer`, and with a 200 leads to where it was asked.
class HttpProxyOnLoopback : public testing::Test {
 protected:
  HttpProxyOnLoopback() : listener_(Listener::open(loop_.get_executor(), {.host = "127.0.0.1", .port = 0}).value()) {
    ::setenv("https_proxy", ("http://me:secret@" + listener_.address()).c_str(), 1);
    ::unsetenv("no_proxy");
    ::unsetenv("NO_PROXY");
  }
  ~HttpProxyOnLoopback() override { ::unsetenv("https_proxy"); }

  awaitable<void> serve(std::string answer) {
    Result<Socket> socket = co_await listener_.accept();
    if (!socket) co_return;
    Connection client(std::move(*socket));
    while (request_.find("\r\n\r\n") == std::string::npos) {
      std::string block(1024, '\0');
      const Result<size_t> got = co_await client.read_some(asio::buffer(block));
      if (!got || *got == 0) co_return;
      request_.append(block, 0, *got);
    }
    // In two pieces: an answer need not come at once.
    static_cast<void>(co_await client.write_bytes(asio::buffer(answer.substr(0, 5))));
    co_await sleep_for(std::chrono::milliseconds(5));
    static_cast<void>(co_await client.write_bytes(asio::buffer(answer.substr(5))));
    if (answer.find(" 200 ") == std::string::npos) co_return;
    auto server = co_await connect_to(target_);
    if (server) co_await relay(&client, &*server, [](size_t) {});
  }
  awaitable<Result<Connection>> connect_to(Address to) {
    asio::ip::tcp::socket socket(loop_);
    auto [error] = co_await socket.async_connect({asio::ip::make_address(to.host), to.port}, kAwait);
    if (error) co_return fail(std::error_code(error), "connect");
    co_return Connection(Socket(std::move(socket)));
  }

  Result<std::unique_ptr<Connection>> connect_by(const std::string& answer) {
    asio::co_spawn(loop_, serve(answer), or_die());
    return testing_support::run_in_loop(loop_, connect_bare(target_, soon()));
  }

  asio::io_context loop_;
  Listener listener_;
  Address target_{.host = "127.0.0.1", .port = 9};
  std::string request_;
};

TEST_F(HttpProxyOnLoopback, LeadsToTheServerWithTlsEndToEnd) {
  testing_support::TestCa ca;
  LoopbackServer server(loop_, ca.proxy(), {Alpn::kTunnel});
  target_ = server.address();
  asio::co_spawn(loop_, serve("HTTP/1.1 200 Connection established\r\nVia: 1.1 out\r\n\r\n"), or_die());
  const Pair pair = testing_support::run_in_loop(loop_, join(&server, ca.node(), Alpn::kTunnel, Role::kProxy));
  ASSERT_TRUE(pair.client.has_value()) << pair.client.error().message;
  EXPECT_EQ((*pair.client)->peer().role, Role::kProxy);
  EXPECT_THAT(request_, HasSubstr("CONNECT " + address_text(target_) + " HTTP/1.1\r\n"));
  EXPECT_THAT(request_, HasSubstr("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
}

TEST_F(HttpProxyOnLoopback, ThatRefusesIsQuoted) {
  const auto connection = connect_by("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!");
  ASSERT_FALSE(connection.has_value());
  EXPECT_EQ(connection.error().code, Errc::kDenied);
  EXPECT_THAT(connection.error().message, HasSubstr("407"));
  EXPECT_THAT(connection.error().message, HasSubstr("Proxy Authentication Required"));
}

TEST_F(HttpProxyOnLoopback, ThatIsNoneIsNamed) {
  const auto connection = connect_by("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n");
  ASSERT_FALSE(connection.has_value());
  EXPECT_EQ(connection.error().code, Errc::kInvalid);
}

TEST_F(HttpProxyOnLoopback, ThatAnswersWithoutEndIsCutOff) {
  const auto connection = connect_by("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'));
  ASSERT_FALSE(connection.has_value());
  EXPECT_EQ(connection.error().code, Errc::kTooLarge);
}

TEST_F(HttpProxyOnLoopback, ThatHangsUpIsUnavailable) {
  listener_.close();
  const auto connection = testing_support::run_in_loop(loop_, connect_bare(target_, soon()));
  ASSERT_FALSE(connection.has_value());
  EXPECT_THAT(connection.error().message, HasSubstr("HTTPS_PROXY"));
}

}  // namespace
}  // namespace cairn::tunnel
