// Precompiled for the command line: half of a verb's compilation was CLI11 and JSON. Sources still include what they
// use.
#include "base/pch.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "proto/auth.pb.h"
