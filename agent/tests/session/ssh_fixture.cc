#include "agent/tests/session/ssh_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/ssh_wire.h"
#include "base/unique_fd.h"
#include "recorder/recording_decoder.h"

namespace cairn::agent {
namespace {

std::string program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "agent_session_program").string();
}

void read_all(int fd, std::string* into) {
  std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;)
    into->append(buffer.data(), static_cast<size_t>(got));
}

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

}  // namespace

Finished run_program(const std::vector<std::string>& command, std::string_view input) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe in;
  Pipe out;
  Pipe err;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.reading.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out.writing.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.writing.get(), STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  Finished finished;
  const int refused = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (refused != 0) {
    ADD_FAILURE() << command[0] << ": " << std::generic_category().message(refused);
    return finished;
  }
  in.reading.reset();
  out.writing.reset();
  err.writing.reset();
  std::thread writer([&] {
    (void)write_all(in.writing.get(), input);
    in.writing.reset();
  });
  std::thread errors_reader([&] { read_all(err.reading.get(), &finished.errors); });
  read_all(out.reading.get(), &finished.output);
  errors_reader.join();
  writer.join();
  int status = 0;
  ::waitpid(pid, &status, 0);
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

SshKeys::SshKeys() { make_key("ca"); }

void SshKeys::make_key(const std::string& name, const std::string& type, int bits) const {
  std::vector<std::string> command{"ssh-keygen", "-q", "-t", type, "-N", "", "-f", path(name).string()};
  if (bits > 0) command.insert(command.end(), {"-b", std::to_string(bits)});
  const Finished made = run_program(command);
  EXPECT_EQ(made.status, 0) << made.errors;
}

void SshKeys::certify(const std::string& name, const std::string& authority, std::vector<std::string> options) const {
  std::vector<std::string> command{"ssh-keygen", "-q", "-s", path(authority).string(), "-I", "alice@testing"};
  command.insert(command.end(), options.begin(), options.end());
  command.push_back(path(name + ".pub").string());
  const Finished made = run_program(command);
  EXPECT_EQ(made.status, 0) << made.errors;
}

std::string SshKeys::blob(const std::string& file) const {
  const Result<std::string> line = read_file(path(file), 65536);
  const Result<SshPublicKey> key = parse_ssh_public_key(line ? *line : "");
  EXPECT_TRUE(key) << file;
  return key ? key->blob : "";
}

void SshKeys::write(const std::string& file, std::string_view text) const { std::ofstream(path(file)) << text; }

SshNode::SshNode() {
  make_key("host_key");
  make_key("key");
  certify("key", "ca", {"-n", "root", "-V", "-1h:+1h"});
  write("recipient", recipient_text(recipient_of(reader_)));
  std::filesystem::create_directory(path("spool"));
  std::filesystem::create_directory(path("pam.d"));
  for (const auto& entry : std::filesystem::directory_iterator("/etc/pam.d")) {
    if (entry.path().filename().string().starts_with("common-"))
      std::filesystem::copy(entry.path(), path("pam.d") / entry.path().filename());
  }
  std::filesystem::copy(CAIRN_PAM_SERVICE_FILE, path("pam.d") / "cairn");
}

std::vector<std::string> SshNode::options(const std::string& login, const std::string& key) const {
  const std::string proxy =
      fmt::format("ProxyCommand={} serve {} 2>>{}", program(), folder().string(), path("log").string());
  std::vector<std::string> words{"-F", "none"};
  for (const std::string& option :
       {proxy, std::string("StrictHostKeyChecking=no"), std::string("UserKnownHostsFile=/dev/null"),
        std::string("LogLevel=INFO"), std::string("BatchMode=yes"), std::string("IdentitiesOnly=yes"),
        std::string("IdentityAgent=none"), "IdentityFile=" + path(key).string(),
        "CertificateFile=" + path(key + "-cert.pub").string(), "User=" + login}) {
    words.insert(words.end(), {"-o", option});
  }
  return words;
}

Finished SshNode::ssh(const std::vector<std::string>& options, const std::vector<std::string>& words,
                      std::string_view input, const std::string& login, const std::string& key) const {
  std::vector<std::string> command{"timeout", "60", "ssh"};
  const std::vector<std::string> common = this->options(login, key);
  command.insert(command.end(), common.begin(), common.end());
  command.insert(command.end(), options.begin(), options.end());
  command.emplace_back("node");
  command.insert(command.end(), words.begin(), words.end());
  return run_program(command, input);
}

size_t SshNode::recordings() const {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path("spool"))) {
    if (entry.path().extension() == ".rec") ++count;
  }
  return count;
}

std::vector<recording::v1::Event> SshNode::recording() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string problem = "there is no recording";
  while (std::chrono::steady_clock::now() < deadline) {
    for (const auto& entry : std::filesystem::directory_iterator(path("spool"))) {
      if (entry.path().extension() != ".rec") continue;
      const Result<std::string> bytes = read_file(entry.path(), size_t{1} << 30);
      if (!bytes) continue;
      recorder::RecordingDecoder decoder([this](const recorder::Opening& opening) {
        return std::make_shared<const recorder::RecordingKeys>(
            recorder::open_secret(opening.sealed_secret(), {&reader_, 1}).value());
      });
      decoder.feed(*bytes);
      std::vector<recording::v1::Event> events;
      Result<std::optional<recorder::Event>> event = decoder.next();
      for (; event && event->has_value(); event = decoder.next()) events.push_back(**event);
      if (decoder.is_complete()) return events;
      problem = event ? "the recording has no end" : event.error().message;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ADD_FAILURE() << problem << "; the log says:\n" << log();
  return {};
}

std::string SshNode::log() const {
  const Result<std::string> text = read_file(path("log"), 1 << 20);
  return text ? *text : "";
}

std::string why_no_logins() {
  if (::geteuid() != 0) return "needs root: logins become other accounts";
  if (!std::filesystem::exists("/etc/pam.d/common-session")) return "needs Debian's /etc/pam.d/common-*";
  if (run_program({"sh", "-c", "command -v ssh ssh-keygen"}).status != 0) return "needs OpenSSH's client";
  return {};
}

}  // namespace cairn::agent
