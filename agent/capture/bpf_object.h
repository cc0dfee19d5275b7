#pragma once

#include <filesystem>

#include "agent/capture/tier.h"
#include "base/result.h"

namespace cairn::agent {

// Loads and attaches all of the tier's programs and pins their links and the maps of kPinnedMaps in `pins`, a new
// folder on a bpffs. All or nothing: `pins` appears complete, by a rename.
//   fails  Errc::kUnsupported: the kernel refused; the sentence names the programs and the kernel's reasons
//          an errno: the pins cannot be made; nothing is attached then
Result<void> load_and_pin(const Tier& tier, const std::filesystem::path& pins);

}  // namespace cairn::agent
