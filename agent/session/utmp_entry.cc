#include "agent/session/utmp_entry.h"

#include <arpa/inet.h>
#include <sys/time.h>
#include <utmp.h>
#include <utmpx.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace cairn::agent {
namespace {

// The fields of utmp are not always terminated: a name may fill one.
template <size_t N> void set_field(char (&field)[N], std::string_view text) {
  std::memcpy(field, text.data(), std::min(N, text.size()));
}

}  // namespace

UtmpEntry::UtmpEntry(std::string login, std::string tty, std::string client_host, pid_t pid)
    : login_(std::move(login)), line_(std::move(tty)), client_host_(std::move(client_host)), pid_(pid) {
  if (line_.starts_with("/dev/")) line_.erase(0, 5);
  write(USER_PROCESS);
}

UtmpEntry::~UtmpEntry() { write(DEAD_PROCESS); }

void UtmpEntry::write(short type) const {
  struct utmpx entry{};
  entry.ut_type = type;
  entry.ut_pid = pid_;
  set_field(entry.ut_line, line_);
  // The key of the entry: the last characters of the line, "ts/7" (utmp(5)).
  set_field(entry.ut_id, std::string_view(line_).substr(line_.size() - std::min(line_.size(), sizeof entry.ut_id)));
  struct timeval now{};
  ::gettimeofday(&now, nullptr);
  entry.ut_tv.tv_sec = static_cast<int32_t>(now.tv_sec);
  entry.ut_tv.tv_usec = static_cast<int32_t>(now.tv_usec);
  if (type == USER_PROCESS) {
    set_field(entry.ut_user, login_);
    set_field(entry.ut_host, client_host_);
    if (::inet_pton(AF_INET, client_host_.c_str(), entry.ut_addr_v6) != 1)
      ::inet_pton(AF_INET6, client_host_.c_str(), entry.ut_addr_v6);
  }
  ::setutxent();
  ::pututxline(&entry);
  ::endutxent();
  ::updwtmpx(_PATH_WTMP, &entry);
}

}  // namespace cairn::agent
