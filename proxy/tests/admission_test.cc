#include "proxy/admission.h"

#include <optional>

#include <gtest/gtest.h>

namespace cairn::proxy {
namespace {

TEST(Admission, IsFullAtItsLimitAndHasRoomAgainWhenOneGoes) {
  Admission admission({.at_once = 2, .at_once_per_address = 2});
  std::optional<Admission::Place> first(&admission);
  const Admission::Place second(&admission);
  EXPECT_TRUE(admission.is_full());
  first.reset();
  EXPECT_FALSE(admission.is_full());
  EXPECT_EQ(admission.taken(), 1u);
}

TEST(Admission, LeavesRoomForOthersWhenOneAddressTakesAllItMay) {
  Admission admission({.at_once = 10, .at_once_per_address = 2});
  std::optional<Admission::Place> first(&admission);
  Admission::Place second(&admission);
  Admission::Place third(&admission);
  Admission::Place other(&admission);
  EXPECT_TRUE(first->belongs_to("192.0.2.7:1"));
  EXPECT_TRUE(second.belongs_to("192.0.2.7:2"));
  const Result<void> refused = third.belongs_to("192.0.2.7:3");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "192.0.2.7 has 2 handshakes under way, its limit");
  EXPECT_TRUE(other.belongs_to("192.0.2.8:3"));
  first.reset();
  EXPECT_TRUE(third.belongs_to("192.0.2.7:3"));
}

TEST(Source, OfIPv6IsTheNetworkThatOneCustomerHas) {
  EXPECT_EQ(source_of("192.0.2.7:5022"), "192.0.2.7");
  EXPECT_EQ(source_of("[2001:db8:1:2:3:4:5:6]:5022"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("[2001:db8:1:2:ffff::]:1"), source_of("[2001:db8:1:2::1]:2"));
  EXPECT_NE(source_of("[2001:db8:1:2::1]:1"), source_of("[2001:db8:1:3::1]:1"));
}

}  // namespace
}  // namespace cairn::proxy
