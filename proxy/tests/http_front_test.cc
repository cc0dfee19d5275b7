#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "proxy/tests/cluster_on_loopback.h"

namespace cairn::proxy {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HttpFrontOnLoopback : public ClusterOnLoopback {
 protected:
  static std::string body_of(const std::string& answer) {
    const size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
  }
};

TEST_F(HttpFrontOnLoopback, IsHealthy) {
  const std::string answer = page("/healthz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(body_of(answer), "ok\n");
}

TEST_F(HttpFrontOnLoopback, TellsVersionClusterAndProtocols) {
  const auto ping = nlohmann::json::parse(body_of(page("/v1/ping")));
  EXPECT_EQ(ping["version"], CAIRN_VERSION);
  EXPECT_EQ(ping["cluster"], "testing");
  EXPECT_EQ(ping["alpn"], nlohmann::json({"cairn-auth/1", "cairn-enroll/1", "cairn-tunnel/1", "cairn-dial/1",
                                          "cairn-ssh/1", "http/1.1"}));
}

TEST_F(HttpFrontOnLoopback, ServesMetricsWithHelpAndType) {
  const std::string metrics = body_of(page("/metrics"));
  for (const char* series : {"cairn_proxy_connections_total", "cairn_proxy_refused_total", "cairn_proxy_agents",
                             "cairn_proxy_relays", "cairn_proxy_relayed_bytes_total", "cairn_proxy_dials_total"}) {
    EXPECT_THAT(metrics, HasSubstr(std::string("# HELP ") + series + " "));
    EXPECT_THAT(metrics, HasSubstr(std::string("# TYPE ") + series + " "));
  }
}

TEST_F(HttpFrontOnLoopback, KeepsAConnectionForTheNextRequest) {
  const std::string answer =
      ask_http("GET /healthz HTTP/1.1\r\nHost: p\r\n\r\nGET /v1/ping HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("ok\nHTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("\"cluster\":\"testing\""));
}

struct Bad {
  const char* name;
  std::string request;
  const char* status;
};

class BadRequest : public ClusterOnLoopback, public testing::WithParamInterface<Bad> {};

TEST_P(BadRequest, GetsItsStatusAndAJsonError) {
  const std::string answer = ask_http(GetParam().request);
  EXPECT_THAT(answer, StartsWith(std::string("HTTP/1.1 ") + GetParam().status));
  const auto error = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4), nullptr, false);
  EXPECT_TRUE(error.is_object() && error.contains("error")) << answer;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadRequest,
    testing::Values(
        Bad{"unknown_page", "GET /nothing HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n", "404"},
        Bad{"climbing_path", "GET /../../etc/passwd HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n", "404"},
        Bad{"other_method", "DELETE /healthz HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n", "405"},
        Bad{"no_http", "EHLO mail.example.com\r\n\r\n", "400"},
        Bad{"with_a_body", "GET /healthz HTTP/1.1\r\nHost: p\r\nContent-Length: 5\r\n\r\nhello", "400"},
        Bad{"huge_header", "GET /healthz HTTP/1.1\r\nCookie: " + std::string(20'000, 'c') + "\r\n\r\n", "431"},
        Bad{"endless_target", "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n", "431"}),
    [](const auto& bad) { return std::string(bad.param.name); });

}  // namespace
}  // namespace cairn::proxy
