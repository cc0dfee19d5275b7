#pragma once

#include <string_view>

namespace cairn::cli {

// bundle_readme.md: what lies in a bundle and how to verify it; {SESSION} and {WHO} are to be filled in.
std::string_view bundle_readme();
// verify_recording.py: a verifier that has none of our code.
std::string_view verify_script();

}  // namespace cairn::cli
