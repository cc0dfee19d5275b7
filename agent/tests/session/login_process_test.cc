#include "agent/session/login_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/session/channel_exit.h"
#include "agent/session/login_environment.h"
#include "agent/session/pty.h"
#include "agent/tests/session/ssh_fixture.h"
#include "base/file.h"

namespace cairn::agent {
namespace {

using testing::HasSubstr;

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
};

class Login : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_logins(); !reason.empty()) GTEST_SKIP() << reason;
  }

  LoginProcess spawn() {
    Pipe in;
    Pipe out;
    LoginDescriptors given{.input = std::move(in.reading),
                           .output = UniqueFd(::fcntl(out.writing.get(), F_DUPFD_CLOEXEC, 0)),
                           .errors = std::move(out.writing)};
    input_ = std::move(in.writing);
    output_ = std::move(out.reading);
    const std::string program =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "agent_session_program").string();
    auto login = LoginProcess::spawn({program, "login"}, std::move(given));
    EXPECT_TRUE(login) << login.error().message;
    return std::move(*login);
  }
  v1::LoginStart start(const std::string& login, const std::string& command) const {
    v1::LoginStart start;
    start.set_login(login);
    start.set_user("alice");
    start.set_session_id("8b1c0000-0000-4000-8000-000000000001");
    start.set_client_address("192.0.2.7:5022");
    start.set_command(command);
    start.set_pam_dir(node_.path("pam.d").string());
    return start;
  }
  std::string all_output() const {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::read(output_.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<size_t>(got));
    return text;
  }
  static v1::FromLogin last_word(LoginProcess& login) {
    struct pollfd wait{.fd = login.control(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&wait, 1, 30'000), 1) << "no word within 30 s";
    return login.receive().value_or(v1::FromLogin());
  }
  static bool ends(LoginProcess& login) {
    struct pollfd wait{.fd = login.pidfd(), .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, 30'000) == 1 && login.reap();
  }

  SshNode node_;
  UniqueFd input_;
  UniqueFd output_;
};

TEST_F(Login, DoesNothingBeforeItsGateOpens) {
  LoginProcess login = spawn();
  struct pollfd wait{.fd = login.pidfd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 100), 0);
  login.end_at_gate();
  EXPECT_EQ(all_output(), "");
}

TEST_F(Login, TellsTheExitStatus) {
  LoginProcess login = spawn();
  ASSERT_TRUE(login.open_gate(start("root", "echo hello; exit 42")));
  EXPECT_EQ(all_output(), "hello\n");
  EXPECT_EQ(last_word(login).ended().exit_status(), 42U);
  EXPECT_TRUE(ends(login));
}

TEST_F(Login, PassesSignalsOnToTheWholeGroup) {
  LoginProcess login = spawn();
  ASSERT_TRUE(login.open_gate(start("root", "sleep 1000 & echo ready; wait")));
  std::array<char, 6> ready;
  ASSERT_EQ(::read(output_.get(), ready.data(), ready.size()), 6);
  login.send_signal("TERM");
  EXPECT_EQ(channel_exit(last_word(login)).signal, "TERM");
  EXPECT_EQ(all_output(), "");  // sleep, too, has let go of the pipe
  EXPECT_TRUE(ends(login));
}

TEST_F(Login, HangsUpWhenItsWorkerDies) {
  {
    LoginProcess login = spawn();
    ASSERT_TRUE(
        login.open_gate(start("root", "trap 'echo hung up; exit' HUP; echo ready; while :; do sleep 0.05; done")));
    std::array<char, 6> ready;
    ASSERT_EQ(::read(output_.get(), ready.data(), ready.size()), 6);
  }
  EXPECT_THAT(all_output(), HasSubstr("hung up"));
}

TEST_F(Login, LeavesTheProgramAloneWhenItsWorkerDetached) {
  {
    LoginProcess login = spawn();
    ASSERT_TRUE(login.open_gate(start("root", "echo ready; read line; echo got $line")));
    std::array<char, 6> ready;
    ASSERT_EQ(::read(output_.get(), ready.data(), ready.size()), 6);
    login.detach();
  }
  ASSERT_TRUE(write_all(input_.get(), "it\n"));
  EXPECT_EQ(all_output(), "got it\n");
}

TEST_F(Login, RefusesAnUnknownAccountByName) {
  LoginProcess login = spawn();
  ASSERT_TRUE(login.open_gate(start("no-such-account", "true")));
  EXPECT_EQ(all_output(), "cairn: there is no account no-such-account on this host\n");
  EXPECT_THAT(last_word(login).refused().reason(), HasSubstr("no-such-account"));
  EXPECT_TRUE(ends(login));
}

TEST_F(Login, RefusesACommandThatTheKernelCouldNotRun) {
  LoginProcess login = spawn();
  EXPECT_FALSE(login.open_gate(start("root", std::string(200'000, 'x'))));
  login.end_at_gate();
}

// An account of its own, made and removed with the system's tools.
class LoginOfAnAccount : public Login {
 protected:
  void SetUp() override {
    Login::SetUp();
    if (IsSkipped()) return;
    name_ = fmt::format("cairn-ut-{}", ::getpid());
    const Finished made = run_program({"flock", "/etc/cairn-unit-tests.lock", "useradd", "--create-home", "--home-dir",
                                       (node_.path("home")).string(), "--shell", "/bin/sh", name_});
    if (made.status != 0) GTEST_SKIP() << "needs useradd: " << made.errors;
    std::filesystem::permissions(node_.folder(), std::filesystem::perms(0755));
  }
  void TearDown() override {
    if (!name_.empty()) run_program({"flock", "/etc/cairn-unit-tests.lock", "userdel", name_});
    std::filesystem::remove("/etc/cairn-unit-tests.lock");
  }
  std::string name_;
};

TEST_F(LoginOfAnAccount, BecomesItForGood) {
  LoginProcess login = spawn();
  ASSERT_TRUE(login.open_gate(
      start(name_,
            "id -un; id -ru; pwd; echo $HOME $SHELL; echo x >/dev/stderr; "
            "cat /proc/self/status | grep -E '^(Uid|Gid):' | tr -s '\\t' ' '; ls /proc/$PPID/fd 2>&1 | head -1")));
  const std::string output = all_output();
  const std::string uid = run_program({"id", "-u", name_}).output;
  const std::string gid = run_program({"id", "-g", name_}).output;
  const std::string u = uid.substr(0, uid.size() - 1);
  const std::string g = gid.substr(0, gid.size() - 1);
  const std::string home = node_.path("home").string();
  EXPECT_THAT(output, testing::StartsWith(fmt::format("{}\n{}\n{}\n{} /bin/sh\nx\nUid: {} {} {} {}\nGid: {} {} {} {}\n",
                                                      name_, u, home, home, u, u, u, u, g, g, g, g)));
  EXPECT_THAT(output, HasSubstr("Permission denied"));  // the login process stays root
  EXPECT_EQ(last_word(login).ended().exit_status(), 0U);
  EXPECT_TRUE(ends(login));
}

TEST_F(LoginOfAnAccount, IsRefusedOnceItHasExpired) {
  ASSERT_EQ(run_program({"flock", "/etc/cairn-unit-tests.lock", "usermod", "--expiredate", "1", name_}).status, 0);
  LoginProcess login = spawn();
  ASSERT_TRUE(login.open_gate(start(name_, "echo in")));
  const std::string output = all_output();
  EXPECT_THAT(output, HasSubstr(name_));
  EXPECT_THAT(output, HasSubstr("expired"));
  EXPECT_TRUE(last_word(login).has_refused());
}

TEST(ClientEnvironment, IsTheLanguageAndTheTerminalAlone) {
  for (const char* name : {"LANG", "LC_ALL", "LC_MESSAGES", "TERM", "LC_CAIRN_2"})
    EXPECT_TRUE(is_accepted_variable(name)) << name;
  for (const char* name : {"", "LD_PRELOAD", "LANGUAGE", "LC_a", "LC_=", "PATH", "lc_all", "LC_ALL\n"})
    EXPECT_FALSE(is_accepted_variable(name)) << name;
}

TEST(ExitOfAChannel, IsToldAsSshTellsIt) {
  v1::FromLogin word;
  word.mutable_ended()->set_exit_status(7);
  EXPECT_EQ(channel_exit(word).status, 7U);
  word.mutable_ended()->set_signal(11);
  word.mutable_ended()->set_core_dumped(true);
  EXPECT_EQ(channel_exit(word).signal, "SEGV");
  EXPECT_TRUE(channel_exit(word).has_core);
  word.mutable_ended()->set_signal(40);
  EXPECT_EQ(channel_exit(word).signal, "SIG@openssh.com");
}

}  // namespace
}  // namespace cairn::agent
