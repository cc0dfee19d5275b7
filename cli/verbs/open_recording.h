#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/player/local_derivation.h"
#include "cli/player/recording_source.h"
#include "cli/verbs/context.h"

namespace cairn::cli {

// True when `name` means a file: it has a slash or a dot, or a file of that name is there and it is no session's UUID.
bool names_a_file(const std::string& name);

// The recording that a command line names: a file, or a session at auth.
//   identity_file  of an age identity that it may be encrypted to; empty: auth is asked for the key, which it has when
//                  the cluster is among the recipients
Result<std::unique_ptr<RecordingSource>> open_recording(const Context& context, const std::string& name,
                                                        Reading reading, const std::string& identity_file = "");

// Where recordings are derived on this host: in the person's folder.
Result<LocalDerivation> local_derivation(const Context& context);

void add_identity(CLI::App* verb, std::string& identity_file);

}  // namespace cairn::cli
