#include "tunnel/http_connect.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "tunnel/networks.h"

namespace cairn::tunnel {
namespace {

namespace http = boost::beast::http;

constexpr uint32_t kMaxAnswerBytes = 8 * 1024;
constexpr uint16_t kDefaultPort = 1080;  // as curl has it
constexpr std::string_view kScheme = "http://";

std::string variable(const char* lower, const char* upper) {
  const char* value = std::getenv(lower);
  if (value == nullptr || *value == '\0') value = std::getenv(upper);
  return value == nullptr ? "" : value;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// RFC 3986 §2.1. What is no escape stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size(); at++) {
    const Result<std::string> byte = text[at] == '%' && at + 2 < text.size()
                                         ? from_hex(lower_case(text.substr(at + 1, 2)))
                                         : fail(Errc::kInvalid, "");
    decoded += byte ? byte->front() : text[at];
    if (byte) at += 2;
  }
  return decoded;
}

// "example.com" and ".example.com" both stand for the domain and all below it, as with curl.
bool is_in_domain(std::string_view host, std::string_view domain) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.empty() || !host.ends_with(domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

bool is_excepted(const Address& to, std::string_view exceptions) {
  boost::system::error_code error;
  static_cast<void>(asio::ip::make_address(to.host, error));
  const bool is_address = !error;
  const std::string host = lower_case(to.host);
  while (!exceptions.empty()) {
    const size_t comma = exceptions.find(',');
    const std::string member = lower_case(trimmed(exceptions.substr(0, comma)));
    exceptions.remove_prefix(comma == std::string_view::npos ? exceptions.size() : comma + 1);
    if (member == "*" || (!is_address && is_in_domain(host, member))) return true;
    const Result<bool> is_inside = is_address ? is_in_networks(host, member) : Result<bool>(false);
    if (is_inside && *is_inside) return true;
  }
  return false;
}

}  // namespace

HttpProxyVariables http_proxy_variables() {
  return {.https_proxy = variable("https_proxy", "HTTPS_PROXY"), .no_proxy = variable("no_proxy", "NO_PROXY")};
}

Result<std::optional<HttpProxy>> http_proxy_for(const Address& to, const HttpProxyVariables& variables) {
  if (variables.https_proxy.empty() || is_excepted(to, variables.no_proxy)) return std::optional<HttpProxy>();
  std::string_view rest = variables.https_proxy;
  const bool has_scheme = rest.find("://") != std::string_view::npos;
  if (has_scheme && !lower_case(rest).starts_with(kScheme)) {
    return fail(Errc::kInvalid, fmt::format("HTTPS_PROXY: {} proxies are not supported; it must be http://HOST:PORT",
                                            quoted_if_needed(rest.substr(0, rest.find("://") + 3))));
  }
  if (has_scheme) rest.remove_prefix(kScheme.size());
  HttpProxy proxy;
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    proxy.credentials = percent_decoded(rest.substr(0, at));
    rest.remove_prefix(at + 1);
  }
  rest = rest.substr(0, rest.find('/'));
  Result<Address> address = parse_address(rest, kDefaultPort);
  if (!address) return fail(address, "HTTPS_PROXY");
  proxy.address = std::move(*address);
  return std::optional<HttpProxy>(std::move(proxy));
}

awaitable<Result<void>> http_connect(Socket* socket, Address to, std::string credentials) {
  const std::string target = address_text(to);
  std::string request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", target);
  if (!credentials.empty()) request += fmt::format("Proxy-Authorization: Basic {}\r\n", to_base64(credentials));
  request += "\r\n";
  auto [write_error, written] = co_await asio::async_write(*socket, asio::buffer(request), kAwait);
  if (write_error) co_return fail(Errc::kClosed, "the HTTP proxy closed the connection");

  // Byte by byte would be safe too; but nothing can follow the answer, since TLS's client speaks first.
  http::response_parser<http::empty_body> parser;
  parser.header_limit(kMaxAnswerBytes);
  parser.skip(true);  // an answer to CONNECT has no body, whatever its head says
  std::string waiting;
  while (!parser.is_header_done()) {
    std::array<char, 1024> block{};
    auto [error, got] = co_await socket->async_read_some(asio::buffer(block), kAwait);
    if (error) co_return fail(Errc::kClosed, "the HTTP proxy closed the connection without an answer");
    waiting.append(block.data(), got);
    boost::system::error_code parse_error;
    const size_t used = parser.put(asio::buffer(waiting), parse_error);
    waiting.erase(0, used);
    if (parse_error == http::error::header_limit || waiting.size() > kMaxAnswerBytes)
      co_return fail(Errc::kTooLarge, fmt::format("the HTTP proxy's answer exceeds {} bytes", kMaxAnswerBytes));
    if (parse_error && parse_error != http::error::need_more)
      co_return fail(Errc::kInvalid, "what HTTPS_PROXY names does not answer as an HTTP proxy");
  }
  const unsigned status = parser.get().result_int();
  if (status / 100 != 2) {
    co_return fail(Errc::kDenied,
                   fmt::format("the HTTP proxy refused a connection to {}: {} {}", target, status,
                               quoted_if_needed(std::string_view(parser.get().reason()).substr(0, 200))));
  }
  if (!waiting.empty()) co_return fail(Errc::kInvalid, "the HTTP proxy sent more than its answer");
  co_return Result<void>();
}

}  // namespace cairn::tunnel
