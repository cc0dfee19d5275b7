// What the benchmarks let a host do:  workload KIND COUNT [PROCESSES]
//   exec     makes a child that executes this program again and waits for it
//   open     opens and closes a file
//   getppid  the cheapest system call
//   connect  connects to a listener of its own on the loopback, and closes
// Prints operations, seconds of processor time (children included) and of the clock, per operation in microseconds.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

const char* self = "";

void check(bool is_well, const char* what) {
  if (is_well) return;
  std::perror(what);
  std::exit(1);
}

void exec_once() {
  const pid_t child = ::vfork();
  if (child == 0) {
    ::execl(self, self, static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::waitpid(child, nullptr, 0);
}

void open_once(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  check(fd >= 0, path);
  ::close(fd);
}

class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address_);
    check(::bind(fd_, as_sockaddr(), length) == 0 && ::listen(fd_, 128) == 0, "listen");
    check(::getsockname(fd_, as_sockaddr(), &length) == 0, "getsockname");
  }
  void connect_once() {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const linger at_once{.l_onoff = 1, .l_linger = 0};  // no TIME_WAIT: ports do not run out
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    check(::connect(client, as_sockaddr(), sizeof(address_)) == 0, "connect");
    ::close(::accept(fd_, nullptr, nullptr));
    ::close(client);
  }

 private:
  sockaddr* as_sockaddr() { return reinterpret_cast<sockaddr*>(&address_); }
  int fd_;
  sockaddr_in address_{};
};

void run(const std::string& kind, long count) {
  if (kind == "exec") {
    while (count-- > 0) exec_once();
  } else if (kind == "open") {
    while (count-- > 0) open_once(self);
  } else if (kind == "getppid") {
    while (count-- > 0) ::syscall(SYS_getppid);
  } else if (kind == "connect") {
    Listener listener;
    while (count-- > 0) listener.connect_once();
  } else {
    std::fprintf(stderr, "workload: unknown kind %s\n", kind.c_str());
    std::exit(2);
  }
}

double cpu_seconds(int who) {
  rusage used{};
  ::getrusage(who, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 0;  // executed by itself
  self = argv[0];
  const std::string kind = argv[1];
  const long count = std::atol(argv[2]);
  const int processes = argc > 3 ? std::atoi(argv[3]) : 1;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 1; i < processes; ++i) {
    if (::fork() == 0) {
      run(kind, count);
      ::_exit(0);
    }
  }
  run(kind, count);
  while (::wait(nullptr) > 0) {
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const double cpu = cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);
  const double operations = static_cast<double>(count) * processes;
  std::printf("%.0f %.6f %.6f %.4f %.4f\n", operations, cpu, wall.count(), cpu / operations * 1e6,
              wall.count() / operations * 1e6);
}
