#pragma once

#include <string>

#include "base/log.h"

namespace cairn::agent {

// From here on libbpf's messages go to `log` at debug, as capture.libbpf, instead of to stderr. libbpf knows one
// receiver per process and gives it no context, hence this is the process's one too; the last call wins. Thread-safe.
void route_libbpf_messages(Log log);

// The warnings that libbpf emits on this thread while it lives; one at a time.
class LibbpfWarnings {
 public:
  LibbpfWarnings();
  LibbpfWarnings(const LibbpfWarnings&) = delete;
  LibbpfWarnings& operator=(const LibbpfWarnings&) = delete;
  ~LibbpfWarnings();

  // The one line that says why: of a verifier's log its verdict, else the first warning; "" when there was none.
  std::string reason() const;

 private:
  std::string text_;
};

}  // namespace cairn::agent
