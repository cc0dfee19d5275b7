#pragma once

// What every program of the corpus shares. A program does one evasion and says, from what it knows itself, what a
// recorder must have seen of it. tests/evasion/README.md has the contract with the runner.

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>

namespace row {

using Keys = std::initializer_list<std::pair<const char*, std::string>>;

constexpr int kExpectationsFd = 3;
constexpr int kReadyFd = 4;

inline std::string scratch;  // an empty folder, the working directory too

inline void say(const char* level, Keys keys) {
  std::string line = level;
  for (const auto& [key, value] : keys) line += std::string("\t") + key + "=" + value;
  line += "\n";
  if (::write(kExpectationsFd, line.data(), line.size()) < 0) std::fputs(line.c_str(), stdout);
}

// It must be seen with the kernel's own knowledge; or at least as the caller put it.
inline void truth(Keys keys) { say("Y", keys); }
inline void claim(Keys keys) { say("c", keys); }

[[noreturn]] inline void skip(const std::string& reason) {
  say(("skip\t" + reason).c_str(), {});
  std::exit(0);
}

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

template <class T> T must(T result, const char* what) {
  if (result < 0) die(what);
  return result;
}

inline std::string make_file(const std::string& name) {
  std::string path = scratch + "/" + name;
  ::close(must(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), path.c_str()));
  return path;
}

inline std::string ino_of(int fd) {
  struct stat found{};
  must(::fstat(fd, &found), "fstat");
  return std::to_string(found.st_ino);
}
inline std::string ino_of(const std::string& path) {
  struct stat found{};
  must(::stat(path.c_str(), &found), path.c_str());
  return std::to_string(found.st_ino);
}

// Opens a file that nobody else opens, and expects that to be seen.
inline void open_marker(const std::string& name) {
  const std::string path = scratch + "/" + name;
  const int fd = must(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600), path.c_str());
  truth({{"kind", "open"}, {"path", path}, {"ino", ino_of(fd)}});
  ::close(fd);
}

// Runs `body` in a child and waits for it.
inline void in_child(const std::function<void()>& body) {
  const pid_t pid = must(::fork(), "fork");
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) die("a child failed");
}

// Outside: says that it is ready for the program inside.
inline void ready() {
  if (::write(kReadyFd, "r", 1) < 0) std::fputs("ready\n", stderr);
  ::close(kReadyFd);
}

inline pid_t outside_pid() {
  const char* text = std::getenv("CAIRN_OUTSIDE_PID");
  return text != nullptr ? std::atoi(text) : -1;
}

// A copy of this program under another name, to be executed.
inline std::string copy_of_self(const std::string& name) {
  const std::string path = scratch + "/" + name;
  const int from = must(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "open /proc/self/exe");
  const int to = must(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0755), path.c_str());
  char buffer[65536];
  for (ssize_t bytes = 0; (bytes = ::read(from, buffer, sizeof(buffer))) > 0;)
    must(::write(to, buffer, bytes), "write");
  ::close(from);
  ::close(to);
  return path;
}

inline void wait_for_ever() {
  ready();
  for (;;) ::pause();
}

// PROGRAM inside|outside SCRATCH; with any other first argument it is a copy that was executed, which ends well.
inline int run(int argc, char** argv, const std::function<void()>& inside,
               const std::function<void()>& outside = wait_for_ever) {
  if (argc < 3) return 0;
  scratch = argv[2];
  if (std::string(argv[1]) == "outside") {
    outside();
  } else {
    inside();
  }
  return 0;
}

}  // namespace row
