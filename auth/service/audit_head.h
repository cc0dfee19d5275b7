#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <utility>

#include "auth/recordings/cluster_keys.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/result.h"

namespace cairn::auth {

struct SignedHead {
  std::string note;   // C2SP checkpoint CLUSTER/log, signed
  uint64_t size = 0;  // events in it
};

// Signs the audit log's tree as it stands, and never two trees of which one does not continue the other: what was
// signed last lies in a file of its own. Thread-safe; blocks on the disk.
class AuditHeadSigner {
 public:
  // What is handed in outlives it.
  AuditHeadSigner(std::filesystem::path file, Store* store, const ClusterKeys* keys, const Clock* clock)
      : file_(std::move(file)), store_(store), keys_(keys), clock_(clock) {}

  //   fails  kCorrupt: the log is not what was signed before; somebody has changed the database, or an older one was
  //          restored
  Result<SignedHead> sign();

 private:
  Result<void> check_continues(const AuditHead& head);

  std::mutex mutex_;
  std::filesystem::path file_;
  Store* store_;
  const ClusterKeys* keys_;
  const Clock* clock_;
};

}  // namespace cairn::auth
