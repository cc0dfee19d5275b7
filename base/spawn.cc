#include "base/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <system_error>
#include <utility>

#include "base/must.h"
#include "base/unique_fd.h"

namespace cairn {
namespace {

class Actions {
 public:
  Actions() { must(::posix_spawn_file_actions_init(&actions_) == 0); }
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  // A dup2 onto a number that is still to be moved would overwrite it, and one onto itself would leave close-on-exec
  // set: all are moved out of the way first.
  Result<void> hand_over(const std::vector<HandedDescriptor>& descriptors) {
    int beyond = 0;
    for (const HandedDescriptor& each : descriptors) beyond = std::max(beyond, each.as + 1);
    for (const HandedDescriptor& each : descriptors) {
      UniqueFd moved(::fcntl(each.fd, F_DUPFD_CLOEXEC, beyond));
      if (!moved) return fail_errno("a descriptor for a new process");
      must(::posix_spawn_file_actions_adddup2(&actions_, moved.get(), each.as) == 0);
      moved_.push_back(std::move(moved));
    }
    for (int number = 0; number < beyond; ++number) {
      const auto is_it = [number](const HandedDescriptor& each) { return each.as == number; };
      if (std::ranges::none_of(descriptors, is_it)) must(::posix_spawn_file_actions_addclose(&actions_, number) == 0);
    }
    must(::posix_spawn_file_actions_addclosefrom_np(&actions_, beyond) == 0);
    return {};
  }
  void go_to_root() { must(::posix_spawn_file_actions_addchdir_np(&actions_, "/") == 0); }

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
  std::vector<UniqueFd> moved_;
};

class Attributes {
 public:
  explicit Attributes(bool leads_session) {
    must(::posix_spawnattr_init(&attributes_) == 0);
    sigset_t set;
    ::sigfillset(&set);
    must(::posix_spawnattr_setsigdefault(&attributes_, &set) == 0);
    ::sigemptyset(&set);
    must(::posix_spawnattr_setsigmask(&attributes_, &set) == 0);
    const int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (leads_session ? POSIX_SPAWN_SETSID : 0);
    must(::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)) == 0);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<pid_t> spawn(const SpawnPlan& plan) {
  Actions actions;
  if (Result<void> handed = actions.hand_over(plan.descriptors); !handed) return fail(handed);
  if (plan.begins_at_root) actions.go_to_root();
  const Attributes attributes(plan.leads_session);
  const std::vector<char*> arguments = pointers_to(plan.arguments);
  const std::vector<char*> environment = pointers_to(plan.environment);
  pid_t child = 0;
  const int refused = ::posix_spawn(&child, plan.program.c_str(), actions.get(), attributes.get(), arguments.data(),
                                    environment.data());
  if (refused != 0) return fail_errno(refused, "start " + plan.program.string());
  return child;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> own_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

}  // namespace cairn
