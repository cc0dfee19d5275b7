#include "tunnel/proxy_header.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::tunnel {
namespace {

using testing::HasSubstr;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// As a balancer writes it: version and command, family, then `rest` behind its length.
std::string header(char version_and_command, char family, const std::string& rest) {
  return kSignature + version_and_command + family + static_cast<char>(rest.size() >> 8) +
         static_cast<char>(rest.size() & 0xff) + rest;
}

const std::string kV4("\xc0\x00\x02\x07\xc6\x33\x64\x01\x13\x9e\x0c\x08", 12);  // 192.0.2.7:5022 to 198.51.100.1:3080
const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x07" + std::string(15, '\0') +
                        "\x01" + std::string("\x13\x9e\x0c\x08", 4);

struct Good {
  const char* name;
  std::string bytes;
  const char* source;
};
void PrintTo(const Good& one, std::ostream* out) { *out << one.name; }

class ProxyHeaderOfABalancer : public testing::TestWithParam<Good> {};

TEST_P(ProxyHeaderOfABalancer, NamesTheClientAndItsOwnEnd) {
  const auto read = parse_proxy_header(GetParam().bytes + "\x16\x03\x01");
  ASSERT_TRUE(read && *read) << (read ? "more bytes wanted" : read.error().message);
  EXPECT_EQ((*read)->source, GetParam().source);
  EXPECT_EQ((*read)->bytes, GetParam().bytes.size());
}

TEST_P(ProxyHeaderOfABalancer, IsWaitedForWhateverItIsCutInto) {
  const std::string& whole = GetParam().bytes;
  for (size_t kept = 0; kept < whole.size(); kept++) {
    const auto read = parse_proxy_header(whole.substr(0, kept));
    ASSERT_TRUE(read) << kept << ": " << read.error().message;
    EXPECT_FALSE(*read) << kept;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, ProxyHeaderOfABalancer,
                         testing::Values(Good{"v4", header('\x21', '\x11', kV4), "192.0.2.7:5022"},
                                         Good{"v6", header('\x21', '\x21', kV6), "[2001:db8::7]:5022"},
                                         Good{"v4_in_v6",
                                              header('\x21', '\x21',
                                                     std::string(10, '\0') + "\xff\xff\xc0" +
                                                         std::string("\x00\x02\x07", 3) + kV6.substr(16)),
                                              "192.0.2.7:5022"},
                                         Good{"with_extensions",
                                              header('\x21', '\x11', kV4 + std::string("\x04\x00\x03xyz", 6)),
                                              "192.0.2.7:5022"},
                                         Good{"of_a_health_check", header('\x20', '\x00', ""), ""},
                                         Good{"of_a_health_check_with_addresses", header('\x20', '\x11', kV4), ""},
                                         Good{"of_an_unknown_family", header('\x21', '\x00', ""), ""},
                                         Good{"of_a_unix_socket", header('\x21', '\x31', std::string(216, 'x')), ""}),
                         [](const auto& one) { return std::string(one.param.name); });

struct Bad {
  const char* name;
  std::string bytes;
  const char* sentence;
};
void PrintTo(const Bad& one, std::ostream* out) { *out << one.name; }

class MalformedProxyHeader : public testing::TestWithParam<Bad> {};

TEST_P(MalformedProxyHeader, IsRefusedWithTheReason) {
  const auto read = parse_proxy_header(GetParam().bytes);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Table, MalformedProxyHeader,
    testing::Values(Bad{"none", std::string("\x16\x03\x01\x02\x00", 5), "must send one"},
                    Bad{"of_version_1", "PROXY TCP4 192.0.2.7 198.51.100.1 5022 3080\r\n", "version 2"},
                    Bad{"of_version_3", header('\x31', '\x11', kV4), "version 3"},
                    Bad{"unknown_command", header('\x22', '\x11', kV4), "unknown command 2"},
                    Bad{"of_datagrams", header('\x21', '\x12', kV4), "not TCP"},
                    Bad{"addresses_cut_short", header('\x21', '\x11', kV4.substr(1)), "11 bytes of addresses"},
                    Bad{"v4_addresses_called_v6", header('\x21', '\x21', kV4), "36 are needed"},
                    Bad{"without_end", kSignature + "\x21\x11\xff\xff", "limit 4096"}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace cairn::tunnel
