// The two inner programs of a session without the cluster around them: a login process, and an SSH server on standard
// input and output, for use as ssh's ProxyCommand. What auth would say lies in files.
//   agent_session_program login
//   agent_session_program serve FOLDER
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "agent/session/login.h"
#include "agent/session/ssh_server.h"
#include "agent/session/worker_session.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/ssh_wire.h"

namespace cairn::agent {
namespace {

std::string text_of(const std::filesystem::path& path) {
  Result<std::string> text = read_file(path, 65536);
  while (text && text->ends_with('\n')) text->pop_back();
  return text ? *text : "";
}

// What stands in FOLDER/denied is auth's refusal, in FOLDER/auth_down why it cannot be asked.
Result<auth::v1::AuthorizeSessionResponse> authorize(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "denied")) return fail(Errc::kDenied, text_of(folder / "denied"));
  if (std::filesystem::exists(folder / "auth_down")) return fail(Errc::kUnavailable, text_of(folder / "auth_down"));
  auth::v1::AuthorizeSessionResponse response;
  response.set_user("alice");
  response.add_recipients(text_of(folder / "recipient"));
  response.mutable_policy()->set_require_kernel_events(std::filesystem::exists(folder / "require_kernel_events"));
  return response;
}

void pump(int from, int to) {
  std::array<char, 65536> buffer;
  ssize_t got = 0;
  while ((got = ::read(from, buffer.data(), buffer.size())) > 0) {
    if (!write_all(to, {buffer.data(), static_cast<size_t>(got)})) break;
  }
  ::shutdown(to, SHUT_WR);
}

WorkerSessionOptions options_for(const std::filesystem::path& folder) {
  WorkerSessionOptions options;
  options.session_id = random_uuid();
  options.client_address =
      std::filesystem::exists(folder / "client_address") ? text_of(folder / "client_address") : "127.0.0.1:50022";
  options.cluster = "testing";
  options.node_id = "node-id";
  options.node_name = "web-1";
  if (const Result<SshPublicKey> ca = parse_ssh_public_key(text_of(folder / "ca.pub")); ca)
    options.authorities.push_back(ca->blob);
  options.spool_dir = folder / "spool";
  options.spool_quota_bytes = uint64_t{1} << 30;
  options.bpf_dir = folder / "bpf";
  options.login_program = {"/proc/self/exe", "login"};
  options.pam_dir = folder / "pam.d";
  return options;
}

int serve(const std::filesystem::path& folder) {
  std::signal(SIGPIPE, SIG_IGN);
  // ssh ends its ProxyCommand with SIGHUP, and timeout(1) its whole group; a worker has a session of its own, too.
  std::signal(SIGHUP, SIG_IGN);
  ::setsid();
  const Log log("session", LogLevel::kDebug);
  const SystemClock clock;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return 1;
  std::thread(pump, STDIN_FILENO, ends[1]).detach();
  std::thread outward([&ends] {
    pump(ends[1], STDOUT_FILENO);
    ::close(STDOUT_FILENO);
  });
  Result<std::unique_ptr<WorkerSession>> session =
      WorkerSession::make(options_for(folder), [&folder](const auto&) { return authorize(folder); }, &clock, log);
  if (!session) return 1;
  SshServerOptions server_options;
  server_options.host_key = folder / "host_key";
  SshServer server(server_options, session->get(), log);
  const Result<void> served = server.run(UniqueFd(ends[0]));
  if (!served) log.warn("session.refused", kv_error(served.error()));
  outward.join();
  const Result<void> finished = (*session)->finish(server.take_logins());
  if (!finished) log.error("session.failed", kv_error(finished.error()));
  // The one thread that may still wait for the client is not worth waiting for.
  ::_exit(finished ? 0 : 1);
}

}  // namespace
}  // namespace cairn::agent

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], "login") == 0) return cairn::agent::run_login();
  if (argc == 3 && std::strcmp(argv[1], "serve") == 0) return cairn::agent::serve(argv[2]);
  return 2;
}
