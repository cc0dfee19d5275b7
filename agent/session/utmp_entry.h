#pragma once

#include <sys/types.h>

#include <string>

namespace cairn::agent {

// The person's entry in utmp and wtmp, which who(1), w(1) and last(1) show: written at construction, marked as ended at
// destruction (utmp(5)). A host without these files goes without.
class UtmpEntry {
 public:
  //   tty  "/dev/pts/7"
  UtmpEntry(std::string login, std::string tty, std::string client_host, pid_t pid);
  UtmpEntry(const UtmpEntry&) = delete;
  UtmpEntry& operator=(const UtmpEntry&) = delete;
  ~UtmpEntry();

 private:
  void write(short type) const;

  std::string login_;
  std::string line_;  // "pts/7"
  std::string client_host_;
  pid_t pid_;
};

}  // namespace cairn::agent
