#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::agent {

// What captures on this host.
struct CaptureStatus {
  std::string tier;                // "B"; which kernel facilities are in use: docs/capture.md
  std::vector<std::string> hooks;  // names of the BPF programs in force
};

// Bytes of one session's two rings: powers of two, multiples of the page size.
struct RingSizes {
  uint32_t exec_bytes = 128 * 1024;  // exec, connect and exit events; an open flood cannot displace them
  uint32_t open_bytes = 512 * 1024;
};

// kFolded: what each start of a program reads (libraries, locales) is recorded once per program and counted from then
// on. kFull: every use is an event.
enum class EventStream { kFolded, kFull };

// kAccounted: what finds no room in a ring is counted, and a gap says so. kLossless: the process is held by SIGSTOP
// until there is room; if its worker dies meanwhile, it stays held.
// kAggregate: as kAccounted, and while a ring is half full repeated reading of a file by a program is counted.
enum class LossPolicy { kAccounted, kLossless, kAggregate };

struct CapturePolicy {
  bool sees_calls = true;  // without: what needs no hook on system calls, for the ledger
  EventStream stream = EventStream::kFolded;
  LossPolicy loss = LossPolicy::kAccounted;
};

// What the kernel has counted for one session.
struct SessionCounters {
  uint64_t issued = 0;             // sequence numbers given out, from 1 without holes
  uint64_t folded = 0;             // uses that were counted in place of being given a number
  uint64_t dropped = 0;            // of these, numbers whose event never reached a ring, all reasons together
  uint64_t live_tasks = 0;         // tagged tasks (threads count each)
  uint64_t untagged_children = 0;  // tasks that could not inherit the tag: what they did is in no recording
};

}  // namespace cairn::agent
