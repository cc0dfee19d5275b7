// Many agents in one process, as a proxy and auth see them: the agent's own control connection and heartbeats to auth,
// each with a node's identity that it got by joining. No capture, no sessions: a Dial is refused.
//
//   agent_crowd PORT ADDRESSES CA_PIN TOKEN SSH_HOST_KEY
//
// The proxy is reached at 127.9.1.1 to 127.9.ADDRESSES.1, in turns, so that routes can give each a source of its own.
// Reads commands, a line each, and answers each with one line of JSON:
//   grow N     until there are N, all of them up: {"up": N, "seconds": S}
//   wait N S   until N are up, or S seconds have passed: {"up": N, "seconds": S}
//   state      {"up": N, "seconds": 0}
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <fmt/format.h>

#include "agent/supervisor/control_connection.h"
#include "agent/supervisor/heartbeat.h"
#include "agent/upload/auth_link.h"
#include "agent/upload/proxy_choice.h"
#include "base/async.h"
#include "tunnel/connect.h"

namespace cairn {
namespace {

constexpr size_t kJoinsAtOnce = 32;
constexpr std::chrono::seconds kJoinLimit{60};
constexpr std::chrono::milliseconds kMs{1};

[[noreturn]] void die(const std::string& why) {
  std::cerr << "agent_crowd: " << why << "\n";
  std::exit(1);
}

struct Setting {
  uint16_t port = 0;
  size_t addresses = 1;
  std::string ca_pin;
  std::string token;
  std::string ssh_host_key;

  tunnel::Address proxy(size_t number) const {
    return {.host = fmt::format("127.9.{}.1", number % addresses + 1), .port = port};
  }
};

// What an idle agent keeps open, and does.
class IdleAgent {
 public:
  IdleAgent(const tunnel::Address& proxy, std::shared_ptr<const tunnel::Identity> me)
      : me_(std::move(me)),
        proxies_({proxy}),
        control_(
            proxy, [this] { return me_; }, [](tunnel::v1::Dial) { return refuse(); }, [] {}, {}, log()),
        heartbeat_([this](auth::v1::Request request,
                          std::chrono::milliseconds limit) { return ask(std::move(request), limit); },
                   [] { return describe(); }, agent::Heartbeat::kInterval, log()) {}

  awaitable<void> run() {
    using namespace asio::experimental::awaitable_operators;
    co_await heartbeat_.beat();
    co_await (control_.run() && keep_beating());
  }
  bool is_up() const { return control_.is_up(); }

 private:
  // As if it had run for long: the first beats come at the rate of all later ones, whose intervals are three quarters
  // of kInterval in the mean.
  awaitable<void> keep_beating() {
    static std::mt19937 random{1};
    co_await sleep_for(std::uniform_int_distribution<int64_t>(0, agent::Heartbeat::kInterval.count() * 3 / 4)(random) *
                       kMs);
    co_await heartbeat_.beat();
    co_await heartbeat_.run();
  }

  static Log log() { return Log("agent-crowd", LogLevel::kError); }
  static awaitable<Result<void>> refuse() { co_return fail(Errc::kUnavailable, "a simulated agent"); }
  awaitable<Result<auth::v1::Response>> ask(auth::v1::Request request, std::chrono::milliseconds limit) {
    agent::AuthLink link(&proxies_, [this] { return me_; });
    co_return co_await link.call(std::move(request), limit);
  }
  static auth::v1::HeartbeatRequest describe() {
    auth::v1::HeartbeatRequest beat;
    beat.set_version(CAIRN_VERSION);
    beat.set_kernel("6.12.0");
    beat.set_capture_tier("B");
    return beat;
  }

  std::shared_ptr<const tunnel::Identity> me_;
  agent::ProxyChoice proxies_;
  agent::ControlConnection control_;
  agent::Heartbeat heartbeat_;
};

class Crowd {
 public:
  Crowd(asio::io_context* loop, Setting setting) : loop_(loop), setting_(std::move(setting)) {}

  void grow(size_t wanted) {
    size_t joining = 0;
    while (agents_.size() < wanted) {
      if (agents_.size() + joining < wanted && joining < kJoinsAtOnce) {
        ++joining;
        asio::co_spawn(*loop_, join(next_++, &joining), or_die());
      } else {
        loop_->run_one();
      }
    }
    await_up(wanted, std::chrono::seconds(120));
  }

  // Returns when `wanted` are up, or at the limit.
  void await_up(size_t wanted, std::chrono::seconds limit) {
    const Deadline deadline = after(limit);
    while (up() < wanted && std::chrono::steady_clock::now() < deadline) loop_->run_for(std::chrono::milliseconds(50));
  }

  size_t up() const {
    size_t up = 0;
    for (const auto& agent : agents_) up += agent->is_up();
    return up;
  }

 private:
  awaitable<void> join(size_t number, size_t* joining) {
    const tunnel::KeyPair key = tunnel::generate_tls_key().value();
    enroll::v1::EnrollRequest request;
    enroll::v1::JoinRequest& join = *request.mutable_join();
    join.set_token(setting_.token);
    join.set_name(fmt::format("crowd-{}", number));
    join.set_tls_public_key(key.public_der);
    join.set_ssh_host_key(setting_.ssh_host_key);
    join.set_version(CAIRN_VERSION);
    auto asking = tunnel::enroll(setting_.proxy(number), setting_.ca_pin, std::move(request), after(kJoinLimit));
    Result<enroll::v1::EnrollResponse> response = co_await std::move(asking);
    if (!response || !response->has_join()) die(response ? "auth answered something else" : response.error().message);
    Result<tunnel::Identity> identity =
        tunnel::make_identity(key.private_pem, response->join().certificate(), response->join().authorities());
    if (!identity) die(identity.error().message);
    auto me = std::make_shared<const tunnel::Identity>(std::move(*identity));
    agents_.push_back(std::make_unique<IdleAgent>(setting_.proxy(number), std::move(me)));
    --*joining;
    asio::co_spawn(*loop_, agents_.back()->run(), or_die());
  }

  asio::io_context* loop_;
  Setting setting_;
  std::vector<std::unique_ptr<IdleAgent>> agents_;
  size_t next_ = 0;
};

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  using namespace cairn;
  if (argc != 6) die("PORT ADDRESSES CA_PIN TOKEN SSH_HOST_KEY");
  asio::io_context loop(1);
  auto idle = asio::make_work_guard(loop);
  Crowd crowd(&loop, {.port = static_cast<uint16_t>(std::atoi(argv[1])),
                      .addresses = static_cast<size_t>(std::atoi(argv[2])),
                      .ca_pin = argv[3],
                      .token = argv[4],
                      .ssh_host_key = argv[5]});
  asio::posix::stream_descriptor input(loop, STDIN_FILENO);
  std::string waiting;
  for (;;) {
    // Commands are read from the loop, on which the agents live.
    std::optional<std::string> line;
    asio::async_read_until(input, asio::dynamic_buffer(waiting), '\n',
                           [&](boost::system::error_code error, size_t got) {
                             line = error ? "quit" : waiting.substr(0, got);
                             waiting.erase(0, error ? waiting.size() : got);
                           });
    while (!line) loop.run_one();
    std::istringstream words(*line);
    std::string verb;
    size_t count = 0;
    int limit_s = 0;
    words >> verb >> count >> limit_s;
    const auto begun = std::chrono::steady_clock::now();
    if (verb == "grow") {
      crowd.grow(count);
    } else if (verb == "wait") {
      crowd.await_up(count, std::chrono::seconds(limit_s));
    } else if (verb != "state") {
      std::_Exit(0);  // ten thousand connections are closed soonest by the kernel
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::cout << fmt::format("{{\"up\": {}, \"seconds\": {:.3f}}}", crowd.up(), took.count()) << std::endl;
  }
}
