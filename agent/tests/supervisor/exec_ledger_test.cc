// What an execution of the host becomes in the audit log.
#include "agent/supervisor/exec_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::agent {
namespace {

TEST(HostExecEvent, SaysWhoRanWhatWhen) {
  recording::v1::Event event;
  event.set_boot_ns(5);
  recording::v1::Exec& exec = *event.mutable_exec();
  exec.mutable_executable()->set_path("/usr/bin/dash");
  exec.mutable_cwd()->set_path("/");
  exec.mutable_process()->set_pid(7);
  exec.mutable_process()->set_parent_pid(1);
  exec.mutable_process()->set_uid(1000);
  exec.add_argv("sh");
  exec.add_argv("-c");
  exec.add_argv("rm -rf \x1b[2J");
  const audit::v1::AuditEvent told = host_exec_event(event, 100);
  EXPECT_EQ(told.kind(), "host.exec");
  EXPECT_EQ(told.message(), R"(sh -c "rm -rf \x1b[2J")");
  EXPECT_EQ(told.fields().at("executable"), "/usr/bin/dash");
  EXPECT_EQ(told.fields().at("parent_pid"), "1");
  EXPECT_EQ(told.fields().at("uid"), "1000");
  EXPECT_EQ(told.fields().at("at_wall_ns"), "105");
}

TEST(HostExecEvent, StaysWithinWhatAuthTakes) {
  constexpr size_t kMostOfAuth = 3000;  // auth/service/audit_events.cc
  recording::v1::Event event;
  recording::v1::Exec& exec = *event.mutable_exec();
  exec.mutable_executable()->set_path(std::string(4000, '\x01'));
  exec.mutable_cwd()->set_path(std::string(4000, '\x01'));
  for (int i = 0; i < 1000; ++i) exec.add_argv(std::string(4000, '\x01'));
  EXPECT_LT(host_exec_event(event, 0).ByteSizeLong(), kMostOfAuth - 500);  // auth adds the node's name and who says it
}

}  // namespace
}  // namespace cairn::agent
