#include <string>

#include <gtest/gtest.h>

#include "tunnel/connect.h"

namespace cairn::tunnel {
namespace {

struct Text {
  const char* name;
  const char* text;
  const char* expected;  // null: refused
};

class AddressText : public testing::TestWithParam<Text> {};

TEST_P(AddressText, IsReadOrRefused) {
  const Result<Address> address = parse_address(GetParam().text, 3080);
  if (GetParam().expected == nullptr) {
    ASSERT_FALSE(address.has_value());
    EXPECT_EQ(address.error().code, Errc::kInvalid);
    return;
  }
  ASSERT_TRUE(address.has_value()) << address.error().message;
  EXPECT_EQ(address_text(*address), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, AddressText,
    testing::Values(Text{"host_and_port", "proxy.example.com:443", "proxy.example.com:443"},
                    Text{"host", "proxy.example.com", "proxy.example.com:3080"},
                    Text{"v4", "127.0.0.1:0", "127.0.0.1:0"}, Text{"v6", "[::1]:25", "[::1]:25"},
                    Text{"v6_without_port", "[2001:db8::1]", "[2001:db8::1]:3080"},
                    Text{"v6_without_brackets", "2001:db8::1", nullptr}, Text{"empty", "", nullptr},
                    Text{"port_alone", ":3080", nullptr}, Text{"empty_port", "host:", nullptr},
                    Text{"port_of_letters", "host:ssh", nullptr}, Text{"port_too_great", "host:65536", nullptr},
                    Text{"negative_port", "host:-1", nullptr}, Text{"port_with_rest", "host:22x", nullptr},
                    Text{"unclosed_bracket", "[::1", nullptr}, Text{"rest_after_bracket", "[::1]x", nullptr}),
    [](const auto& text) { return std::string(text.param.name); });

}  // namespace
}  // namespace cairn::tunnel
