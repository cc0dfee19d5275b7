#include "tunnel/networks.h"

#include <gtest/gtest.h>

namespace cairn::tunnel {
namespace {

struct Case {
  const char* name;
  const char* address;
  const char* list;
  bool is_inside;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class SourceAddress : public testing::TestWithParam<Case> {};

TEST_P(SourceAddress, IsInOrOut) {
  const auto inside = is_in_networks(GetParam().address, GetParam().list);
  ASSERT_TRUE(inside) << inside.error().message;
  EXPECT_EQ(*inside, GetParam().is_inside);
}

INSTANTIATE_TEST_SUITE_P(Lists, SourceAddress,
                         testing::Values(Case{"v4_in_prefix", "192.0.2.7", "192.0.2.0/24", true},
                                         Case{"v4_beyond_prefix", "192.0.3.7", "192.0.2.0/24", false},
                                         Case{"v4_exact", "192.0.2.7", "192.0.2.7", true},
                                         Case{"v4_other", "192.0.2.8", "192.0.2.7", false},
                                         Case{"v4_whole_world", "192.0.2.8", "0.0.0.0/0", true},
                                         Case{"v4_second_of_two", "192.0.2.8", "10.0.0.0/8,192.0.2.8/32", true},
                                         Case{"v6_in_prefix", "2001:db8::7", "2001:db8::/32", true},
                                         Case{"v6_beyond_prefix", "2001:db9::7", "2001:db8::/32", false},
                                         Case{"v6_exact", "2001:db8::7", "2001:db8:0::7", true},
                                         Case{"v4_against_v6", "192.0.2.7", "::/0", false},
                                         Case{"v6_against_v4", "2001:db8::7", "0.0.0.0/0", false},
                                         Case{"mapped_counts_as_v4", "::ffff:192.0.2.7", "192.0.2.0/24", true}),
                         [](const auto& one) { return std::string(one.param.name); });

class MalformedSourceAddress : public testing::TestWithParam<const char*> {};

TEST_P(MalformedSourceAddress, LetsNobodyIn) { EXPECT_FALSE(is_in_networks("192.0.2.7", GetParam())); }

INSTANTIATE_TEST_SUITE_P(Lists, MalformedSourceAddress,
                         testing::Values("", "192.0.2.0/33", "192.0.2.7/24", "192.0.2.0/", "192.0.2.0/24x",
                                         "example.com", "192.0.2.7,", "192.0.2.7, 192.0.2.8", "192.0.2.0/24,nonsense",
                                         "::/129", "!192.0.2.7", "192.0.2.0/-1"));

TEST(AddressAndPort, AreToldApart) {
  EXPECT_EQ(host_of("192.0.2.7:5022"), "192.0.2.7");
  EXPECT_EQ(port_of("192.0.2.7:5022"), "5022");
  EXPECT_EQ(host_of("[2001:db8::7]:5022"), "2001:db8::7");
  EXPECT_EQ(port_of("[2001:db8::7]:5022"), "5022");
  EXPECT_EQ(host_of("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(port_of("192.0.2.7"), "0");
  EXPECT_EQ(host_of("2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(port_of("2001:db8::7"), "0");
  EXPECT_EQ(host_of(""), "");
  EXPECT_EQ(host_of("["), "");
}

}  // namespace
}  // namespace cairn::tunnel
