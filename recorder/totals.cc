#include "recorder/totals.h"

#include <algorithm>

namespace cairn::recorder {

void Totals::add(const Event& event) {
  switch (event.kind_case()) {
    case Event::kOutput: output_bytes += event.output().data().size(); break;
    case Event::kExec: ++execs; break;
    case Event::kOpen: ++opens; break;
    case Event::kConnect: ++connects; break;
    case Event::kProcessExit: ++exits; break;
    case Event::kChange: ++changes; break;
    case Event::kSocket: ++sockets; break;
    case Event::kTamper: ++tampers; break;
    case Event::kFolded: folded += event.folded().opens() + event.folded().executable_maps(); break;
    default: break;
  }
}

void Totals::add(const ChunkMeta& chunk) {
  for (int i = 0; i < std::min(chunk.kinds_size(), chunk.counts_size()); ++i) {
    const uint64_t count = chunk.counts(i);
    switch (chunk.kinds(i)) {
      case Event::kExec: execs += count; break;
      case Event::kOpen: opens += count; break;
      case Event::kConnect: connects += count; break;
      case Event::kProcessExit: exits += count; break;
      case Event::kChange: changes += count; break;
      case Event::kSocket: sockets += count; break;
      case Event::kTamper: tampers += count; break;
      default: break;
    }
  }
  output_bytes += chunk.output_bytes();
  folded += chunk.folded();
}

void Totals::copy_to(End& end) const {
  end.set_output_bytes(output_bytes);
  end.set_execs(execs);
  end.set_opens(opens);
  end.set_connects(connects);
  end.set_changes(changes);
  end.set_sockets(sockets);
  end.set_tampers(tampers);
  end.set_folded(folded);
}

bool is_kernel_event(const Event& event) {
  switch (event.kind_case()) {
    case Event::kExec:
    case Event::kOpen:
    case Event::kConnect:
    case Event::kProcessExit:
    case Event::kChange:
    case Event::kSocket:
    case Event::kTamper: return true;
    default: return false;
  }
}

}  // namespace cairn::recorder
