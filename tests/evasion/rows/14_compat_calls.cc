// The 32-bit system calls, from 64-bit code: open, openat, connect, socketcall, execve.
#include "tests/evasion/rows/net.h"

using namespace row;

namespace {

char* low_memory() {
  static char* next = [] {
    void* at = ::mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (at == MAP_FAILED) die("mmap below 4 GiB");
    return static_cast<char*>(at);
  }();
  char* taken = next;
  next += 4096;
  return taken;
}

template <class T> uint32_t low(const T& value) {
  char* at = low_memory();
  std::memcpy(at, &value, sizeof(value));
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(at));
}

uint32_t low_string(const std::string& text) {
  char* at = low_memory();
  std::strcpy(at, text.c_str());
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(at));
}

int call(int number, uint32_t a, uint32_t b, uint32_t c) {
  int result = number;
  asm volatile("int $0x80" : "+a"(result) : "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

bool has_the_gate() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(call(20, 0, 0, 0) > 0 ? 0 : 1);  // getpid
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    if (!has_the_gate()) skip("the kernel has no 32-bit system calls");
    const std::string a = make_file("open32"), b = make_file("openat32"), program = copy_of_self("exec32");
    must(call(5, low_string(a), O_RDONLY, 0), "open");
    must(call(295, static_cast<uint32_t>(AT_FDCWD), low_string(b), O_RDONLY), "openat");
    for (const std::string& path : {a, b}) {
      truth({{"kind", "open"}, {"path", path}, {"ino", ino_of(path)}, {"flag", "compat"}});
    }
    uint16_t port = 0, other = 0;
    listen_on(AF_INET, &port);
    listen_on(AF_INET, &other);
    const int first = must(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    const int second = must(::socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(call(362, static_cast<uint32_t>(first), low(v4(port)), sizeof(sockaddr_in)), "connect");
    const uint32_t arguments[3] = {static_cast<uint32_t>(second), low(v4(other)), sizeof(sockaddr_in)};
    must(call(102, 3, low(arguments), 0), "socketcall");
    truth({{"kind", "connect"}, {"remote", at_v4(port)}, {"phase", "result"}, {"result", "0"}});
    truth({{"kind", "connect"}, {"remote", at_v4(other)}, {"phase", "result"}, {"result", "0"}});

    const uint32_t argv32[2] = {low_string("x"), 0};
    const uint32_t environment[1] = {0};
    const uint32_t path = low_string(program), vector = low(argv32), empty = low(environment);
    in_child([&] { call(11, path, vector, empty); });
    truth({{"kind", "exec"}, {"path", program}});
    call(11, low_string("/nonexistent/32"), vector, empty);
    claim({{"kind", "exec"}, {"filename", "/nonexistent/32"}, {"flag", "compat"}});
  });
}
