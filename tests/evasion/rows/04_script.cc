// A script is executed by a relative path: what runs is its interpreter.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const int script = must(::open("script.sh", O_CREAT | O_WRONLY | O_CLOEXEC, 0755), "script.sh");
    const std::string text = "#!/bin/sh -e\ntrue\n";
    must(::write(script, text.data(), text.size()), "write");
    ::close(script);
    in_child([] { ::execl("./script.sh", "script.sh", "argument", nullptr); });
    char interpreter[4096]{};
    if (::realpath("/bin/sh", interpreter) == nullptr) die("/bin/sh");
    truth({{"kind", "exec"},
           {"path", interpreter},
           {"flag", "script"},
           {"filename", "./script.sh"},
           {"cwd", scratch},
           {"argv", "/bin/sh -e ./script.sh argument"}});
    truth({{"kind", "open"}, {"path", scratch + "/script.sh"}, {"comm", "script.sh"}});
  });
}
