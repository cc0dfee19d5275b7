#include "agent/session/control_socket.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <gmock/gmock.h>

#include "proto/agent.pb.h"

namespace cairn::agent {
namespace {

class ControlSocket : public testing::Test {
 protected:
  ControlSocket() : pair_(make_control_pair().value()) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reading_.reset(ends[0]);
    writing_.reset(ends[1]);
    message_.set_place("here");
  }

  // Hands the pipe's writing end over and keeps none.
  void hand_over() {
    const std::array<int, 1> fds{writing_.get()};
    ASSERT_TRUE(send_control(pair_.login.get(), message_, fds));
    writing_.reset();
  }

  ControlPair pair_;
  UniqueFd reading_;
  UniqueFd writing_;
  v1::FromForwarder message_;
};

TEST_F(ControlSocket, HandsDescriptorsOverWithAMessage) {
  hand_over();
  v1::FromForwarder received;
  std::vector<UniqueFd> descriptors;
  ASSERT_TRUE(receive_control(pair_.worker.get(), &received, Waiting::kNot, &descriptors).value());
  EXPECT_EQ(received.place(), "here");
  ASSERT_EQ(descriptors.size(), 1U);
  EXPECT_NE(::fcntl(descriptors[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(::write(descriptors[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(reading_.get(), &byte, 1), 1);
}

TEST_F(ControlSocket, ClosesDescriptorsThatNobodyAskedFor) {
  hand_over();
  v1::FromForwarder received;
  ASSERT_TRUE(receive_control(pair_.worker.get(), &received, Waiting::kNot).value());
  char byte = 0;
  EXPECT_EQ(::read(reading_.get(), &byte, 1), 0) << "the writing end is open somewhere";
}

TEST_F(ControlSocket, SendsNoMoreDescriptorsThanTheOtherEndTakes) {
  const std::vector<int> many(kMaxControlDescriptors + 1, writing_.get());
  EXPECT_EQ(send_control(pair_.login.get(), message_, many).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace cairn::agent
