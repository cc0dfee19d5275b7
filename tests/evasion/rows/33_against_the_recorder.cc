// Root uses bpf(2), as who would detach the recorder's programs.
#include <linux/bpf.h>

#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    bpf_attr attributes{};
    ::syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attributes, sizeof(attributes));
    truth({{"kind", "tamper"}, {"op", "bpf"}, {"detail", std::to_string(BPF_PROG_GET_NEXT_ID)}});
    open_marker("after-bpf");
  });
}
