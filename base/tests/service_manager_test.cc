#include "base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "base/unique_fd.h"

namespace cairn {
namespace {

using testing::StartsWith;

// systemd's end.
class ServiceManagerListening : public testing::Test {
 protected:
  ServiceManagerListening() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn-notify.XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    const std::string path = (folder_ / "notify").string();
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~ServiceManagerListening() override {
    ::unsetenv("NOTIFY_SOCKET");
    std::filesystem::remove_all(folder_);
  }

  // Empty when nothing has come.
  std::string heard() {
    std::array<char, 4096> datagram{};
    const ssize_t got = ::recv(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
    return got < 0 ? "" : std::string(datagram.data(), static_cast<size_t>(got));
  }

  UniqueFd socket_;
  std::filesystem::path folder_;
};

TEST_F(ServiceManagerListening, HearsOfTheServicesLife) {
  const ServiceManager manager;
  manager.ready("serving\n5 agents");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=serving 5 agents");
  manager.reloading();
  EXPECT_THAT(heard(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  manager.stopping("waiting for 2 sessions");
  EXPECT_EQ(heard(), "STOPPING=1\nSTATUS=waiting for 2 sessions");
}

TEST_F(ServiceManagerListening, IsNotHeardOfByPrograms) {
  const ServiceManager manager;
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
}

TEST_F(ServiceManagerListening, IsToldThatTheLoopTurnsTwiceInItsTime) {
  ::setenv("WATCHDOG_USEC", "20000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const ServiceManager manager;
  asio::io_context loop;
  asio::co_spawn(loop, manager.feed_watchdog(), or_die());
  loop.run_for(std::chrono::milliseconds(500));
  EXPECT_EQ(heard(), "WATCHDOG=1");
  EXPECT_EQ(heard(), "WATCHDOG=1");
}

TEST_F(ServiceManagerListening, IsNotFedWhenItWatchesAnother) {
  ::setenv("WATCHDOG_USEC", "20000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  const ServiceManager manager;
  asio::io_context loop;
  asio::co_spawn(loop, manager.feed_watchdog(), or_die());
  EXPECT_GT(loop.run(), 0u);  // comes to its end
  EXPECT_EQ(heard(), "");
}

TEST(ServiceManagerAbsent, IsNoTrouble) {
  ::unsetenv("NOTIFY_SOCKET");
  const ServiceManager manager;
  manager.ready("serving");
}

}  // namespace
}  // namespace cairn
