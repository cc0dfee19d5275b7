#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/recordings/recordings.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"

namespace cairn::auth {

// Keeps recordings as long as the retention rules have promised, and deletes them then. Thread-safe; blocks on the
// disk.
class Retention {
 public:
  // What is handed in outlives it.
  Retention(Store* store, Recordings* recordings, const Clock* clock, Log log)
      : store_(store), recordings_(recordings), clock_(clock), log_(std::move(log)) {}

  // What a session that begins now is promised.
  Result<KeepPromise> promise(const SessionRecord& session);

  // To be called every few seconds. When rules have changed (and the first time), gives every recording the promise
  // that they make, if that is longer than the one it has. Then deletes what is over by now, and what could not be
  // deleted before. Failures are logged; the next round tries again.
  void run_round();

  // Gives every recording the promise that the rules make now, be it shorter.
  //   returns  of how many it has changed
  Result<uint64_t> reapply();

 private:
  enum class Walk { kLengthen, kReplace };
  Result<uint64_t> walk(const std::vector<v1::RetentionRule>& rules, Walk kind);
  Result<void> lengthen_if_changed();
  Result<void> delete_expired();
  Recordings::Removal removal_of(const SessionRecord& expired) const;

  Store* store_;
  Recordings* recordings_;
  const Clock* clock_;
  Log log_;
  std::mutex mutex_;
  std::optional<std::vector<std::string>> applied_;  // the rules, as text, that the last walk has applied
};

}  // namespace cairn::auth
