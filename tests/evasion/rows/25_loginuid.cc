// Root unsets its audit login uid: whoever attributes by it loses the process.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const int fd = ::open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
    if (fd < 0) skip("no audit in this kernel");
    if (::write(fd, "4294967295", 10) < 0 && errno != EPERM) die("write loginuid");
    open_marker("after-the-loginuid");
    truth({{"kind", "open"}, {"path~", "/loginuid"}, {"sensitive", "LOGIN_UID"}});
  });
}
