#include "recorder/totals.h"

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
