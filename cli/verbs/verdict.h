#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/player/recording_source.h"
#include "cli/verbs/context.h"
#include "recorder/summary.h"
#include "recorder/verification.h"

namespace cairn::cli {

// What there is to say of a recording: whether it is all there, and whether it is what was signed.
struct Verdict {
  recorder::Summary summary;
  recorder::Verification integrity;
  bool is_live = false;
  bool is_locked = false;       // encrypted, and no key for it: what it holds was not looked at
  std::optional<Error> broken;  // where its contents break off
};

using EventUse = std::function<Result<void>(const recorder::Event&)>;

// Reads the recording to its end, or to where it breaks; what came before is counted, and handed to `use`, either way.
//   fails  the source cannot be read; whatever `use` fails with
Result<Verdict> read_whole(RecordingSource& source, const recorder::Trust& trust, const EventUse& use = {});

// What is wrong with it, as the exit code says it too.
std::optional<std::string> objection(const Verdict& verdict);

// Public keys to believe.
struct Believed {
  recorder::Trust trust;
  std::string origin;  // for people: where they are from
};
// Those of `file`, or those that this home has from its login, with what auth has revoked as far as auth can be asked.
//   timestamp_authorities  file of X.509 certificates; empty: timestamps are read, and not checked
Result<Believed> trust_of(const Context& context, const std::string& file,
                          const std::string& timestamp_authorities = "");

}  // namespace cairn::cli
