#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tunnel/client_hello.h"
#include "tunnel/tls.h"

namespace cairn::tunnel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What our own client, that is OpenSSL, says first.
std::string real_hello(Alpn alpn, const char* server_name = nullptr) {
  const TlsContext context = anonymous_client_context(alpn).value();
  const std::unique_ptr<SSL, FreeWith<SSL_free>> tls(SSL_new(context->native_handle()));
  if (server_name != nullptr) SSL_set_tlsext_host_name(tls.get(), server_name);
  BIO* written = BIO_new(BIO_s_mem());
  SSL_set_bio(tls.get(), BIO_new(BIO_s_mem()), written);
  SSL_connect(tls.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(written, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

std::string u8(size_t value) { return std::string(1, static_cast<char>(value)); }
std::string u16(size_t value) { return u8(value >> 8 & 0xff) + u8(value & 0xff); }
std::string u24(size_t value) { return u8(value >> 16 & 0xff) + u16(value & 0xffff); }

std::string record(const std::string& body) { return "\x16\x03\x01" + u16(body.size()) + body; }
std::string message(const std::string& body) { return u8(1) + u24(body.size()) + body; }
std::string extension(size_t type, const std::string& body) { return u16(type) + u16(body.size()) + body; }
std::string hello_body(const std::string& extensions) {
  return "\x03\x03" + std::string(32, 'r') + u8(0) + u16(2) + "\x13\x01" + u8(1) + u8(0) + u16(extensions.size()) +
         extensions;
}
std::string alpn_list(const std::string& names) { return extension(16, u16(names.size()) + names); }
std::string hello_with(const std::string& extensions) { return record(message(hello_body(extensions))); }

TEST(ClientHelloOfOpenssl, TellsProtocolAndServerName) {
  const auto parsed = parse_client_hello(real_hello(Alpn::kDial, "proxy.example.com"));
  ASSERT_TRUE(parsed.has_value() && parsed->has_value());
  EXPECT_THAT((*parsed)->alpn, ElementsAre("cairn-dial/1"));
  EXPECT_EQ((*parsed)->server_name, "proxy.example.com");
}

TEST(ClientHelloCutAnywhere, NeedsMoreAndNeverFails) {
  const std::string whole = real_hello(Alpn::kSsh, "proxy.example.com");
  for (size_t kept = 0; kept < whole.size(); kept++) {
    const auto parsed = parse_client_hello(std::string_view(whole).substr(0, kept));
    ASSERT_TRUE(parsed.has_value()) << "after " << kept << " bytes: " << parsed.error().message;
    EXPECT_FALSE(parsed->has_value()) << "after " << kept << " of " << whole.size() << " bytes";
  }
}

TEST(ClientHelloInSmallRecords, IsJoined) {
  const std::string body =
      message(hello_body(alpn_list("\x0c"
                                   "cairn-auth/1")));
  std::string bytes;
  for (size_t at = 0; at < body.size(); at += 7) bytes += record(body.substr(at, 7));
  const auto parsed = parse_client_hello(bytes);
  ASSERT_TRUE(parsed.has_value() && parsed->has_value());
  EXPECT_THAT((*parsed)->alpn, ElementsAre("cairn-auth/1"));
}

TEST(ClientHelloWithoutExtensions, OffersNothing) {
  const std::string body = "\x03\x03" + std::string(32, 'r') + u8(0) + u16(2) + "\x13\x01" + u8(1) + u8(0);
  const auto parsed = parse_client_hello(record(message(body)));
  ASSERT_TRUE(parsed.has_value() && parsed->has_value());
  EXPECT_THAT((*parsed)->alpn, IsEmpty());
}

TEST(ClientHelloWithSeveralProtocols, KeepsTheirOrder) {
  const auto parsed = parse_client_hello(hello_with(alpn_list("\x02h2\x08http/1.1")));
  ASSERT_TRUE(parsed.has_value() && parsed->has_value());
  EXPECT_THAT((*parsed)->alpn, ElementsAre("h2", "http/1.1"));
}

struct Malformed {
  const char* name;
  std::string bytes;
  Errc code;
  const char* says;
};

class MalformedClientHello : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedClientHello, IsRefusedAndNamed) {
  const auto parsed = parse_client_hello(GetParam().bytes);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, GetParam().code);
  EXPECT_THAT(parsed.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, MalformedClientHello,
    testing::Values(
        Malformed{"plain_http", "GET / HTTP/1.1\r\n\r\n", Errc::kInvalid, "not TLS"},
        Malformed{"ssh", "SSH-2.0-OpenSSH_9.2\r\n", Errc::kInvalid, "not TLS"},
        Malformed{"an_alert", std::string("\x15\x03\x01\x00\x02\x02\x28", 7), Errc::kInvalid, "not TLS"},
        Malformed{"an_empty_record", std::string("\x16\x03\x01\x00\x00", 5), Errc::kInvalid, "forbidden length"},
        Malformed{"a_record_past_the_limit", std::string("\x16\x03\x01\x40\x01", 5), Errc::kInvalid,
                  "forbidden length"},
        Malformed{"another_message_first", record("\x02" + u24(4) + "abcd"), Errc::kInvalid, "another message"},
        Malformed{"a_message_past_the_limit", record(u8(1) + u24(16 * 1024 + 1)), Errc::kTooLarge, "limit 16384"},
        Malformed{"a_length_of_16_megabytes", record(u8(1) + u24(0xffffff)), Errc::kTooLarge, "16777215"},
        Malformed{"an_empty_body", record(message("")), Errc::kInvalid, "ends inside a field"},
        Malformed{"a_session_id_past_the_end", record(message("\x03\x03" + std::string(32, 'r') + u8(200))),
                  Errc::kInvalid, "ends inside a field"},
        Malformed{"extensions_past_the_end",
                  record(message("\x03\x03" + std::string(32, 'r') + u8(0) + u16(2) + "\x13\x01" + u8(1) + u8(0) +
                                 u16(9) + "abc")),
                  Errc::kInvalid, "ends inside a field"},
        Malformed{"an_extension_past_the_end", hello_with(u16(16) + u16(50) + "abc"), Errc::kInvalid,
                  "broken extensions"},
        Malformed{"an_alpn_list_past_the_end", hello_with(extension(16, u16(9) + "\x02h2")), Errc::kInvalid, "ALPN"},
        Malformed{"an_alpn_name_past_the_end", hello_with(alpn_list("\x09h2")), Errc::kInvalid, "ALPN"},
        Malformed{"a_server_name_past_the_end", hello_with(extension(0, u16(9) + u8(0) + u16(40) + "ab")),
                  Errc::kInvalid, "server name"}),
    [](const auto& malformed) { return std::string(malformed.param.name); });

}  // namespace
}  // namespace cairn::tunnel
