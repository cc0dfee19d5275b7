#include "proxy/http_front.h"

#include <array>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cairn::proxy {
namespace {

namespace http = boost::beast::http;

constexpr uint32_t kMaxHeaderBytes = 8 * 1024;
constexpr std::chrono::milliseconds kIdleLimit{30'000};

std::string response(std::string_view status, std::string_view type, std::string_view body) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n\r\n{}",
      status, type, body.size(), body);
}

std::string json_error(std::string_view status, std::string_view message) {
  return response(status, "application/json", nlohmann::json{{"error", message}}.dump() + "\n");
}

}  // namespace

std::string HttpFront::respond(const std::string& method, const std::string& target) const {
  if (method != "GET") return json_error("405 Method Not Allowed", "only GET is served here");
  if (target == "/healthz") return response("200 OK", "text/plain", "ok\n");
  if (target == "/readyz") {
    return is_ready_() ? response("200 OK", "text/plain", "ready\n")
                       : response("503 Service Unavailable", "text/plain", "draining\n");
  }
  if (target == "/metrics") return response("200 OK", "text/plain; version=0.0.4", metrics_->text());
  if (target == "/v1/ping") {
    nlohmann::ordered_json ping = {
        {"version", CAIRN_VERSION}, {"cluster", cluster_}, {"alpn", nlohmann::json::array()}};
    for (const tunnel::Alpn alpn : {tunnel::Alpn::kAuth, tunnel::Alpn::kEnroll, tunnel::Alpn::kTunnel,
                                    tunnel::Alpn::kDial, tunnel::Alpn::kSsh, tunnel::Alpn::kHttp})
      ping["alpn"].push_back(tunnel::alpn_name(alpn));
    return response("200 OK", "application/json",
                    ping.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return json_error("404 Not Found", "no such page; there are /healthz, /readyz, /metrics and /v1/ping");
}

awaitable<void> HttpFront::serve(std::unique_ptr<tunnel::Connection> connection) const {
  std::string waiting;  // bytes read and not yet parsed
  for (;;) {
    const Deadline deadline = after(kIdleLimit);  // for the whole request: who sends byte by byte is cut off too
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.eager(true);  // the head and what should not follow it, in one go
    while (!parser.is_done()) {
      boost::system::error_code error;
      const size_t used = waiting.empty() ? 0 : parser.put(asio::buffer(waiting), error);
      waiting.erase(0, used);
      if (parser.is_done()) break;
      if ((error && error != http::error::need_more) || waiting.size() > kMaxHeaderBytes) {
        const bool is_large = error == http::error::header_limit || waiting.size() > kMaxHeaderBytes;
        const std::string refusal = is_large ? json_error("431 Request Header Fields Too Large", "header too large")
                                             : json_error("400 Bad Request", "this is not HTTP/1.1 without a body");
        auto refusing = connection->write_bytes(asio::buffer(refusal));
        const Result<void> told = co_await within(after(kIdleLimit), std::move(refusing));
        if (told) co_await connection->close_gracefully();
        co_return;
      }
      std::array<char, 4096> block{};
      auto reading = connection->read_some(asio::buffer(block));
      const Result<size_t> got = co_await within(deadline, std::move(reading));
      if (!got || *got == 0) co_return;
      waiting.append(block.data(), *got);
    }
    const std::string answer = respond(std::string(parser.get().method_string()), std::string(parser.get().target()));
    auto writing = connection->write_bytes(asio::buffer(answer));
    if (const Result<void> written = co_await within(after(kIdleLimit), std::move(writing)); !written) co_return;
    if (!parser.get().keep_alive()) {
      co_await connection->close_gracefully();
      co_return;
    }
  }
}

}  // namespace cairn::proxy
