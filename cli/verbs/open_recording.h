#pragma once

#include <memory>
#include <string>

#include "cli/player/recording_source.h"
#include "cli/verbs/context.h"

namespace cairn::cli {

// True when `name` means a file: it has a slash or a dot, or a file of that name is there and it is no session's UUID.
bool names_a_file(const std::string& name);

// The recording that a command line names: a file, or a session at auth.
Result<std::unique_ptr<RecordingSource>> open_recording(const Context& context, const std::string& name);

}  // namespace cairn::cli
