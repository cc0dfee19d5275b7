// io_uring opens files without a system call for each: inline, by a worker, into the ring's own table, by a polling
// thread.
#include "tests/evasion/rows/uring.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const auto expect = [](const std::string& path) {
      truth({{"kind", "open"}, {"path", path}, {"ino", ino_of(path)}, {"flag", "uring"}});
    };
    Ring ring;
    ring.register_files(4);
    const std::string inlined = make_file("inline"), async = make_file("async"), direct = make_file("direct");
    must(ring.run(open_request(inlined)), "inline");
    must(ring.run(open_request(async, IOSQE_ASYNC)), "async");
    must(ring.run(open_request(direct, 0, 2)), "direct");
    for (const std::string& path : {inlined, async, direct}) expect(path);

    Ring polled(IORING_SETUP_SQPOLL);
    const std::string by_thread = make_file("by-thread");
    must(polled.run(open_request(by_thread)), "polled");
    expect(by_thread);
    claim({{"kind", "open"}, {"claimed", inlined}, {"flag", "uring"}});
  });
}
