#pragma once

#include <string_view>

#include "proto/recording.pb.h"

namespace cairn::agent {

// What writing to this file would mean, by its resolved path: work handed to a daemon or to the kernel, another
// process's memory, the marks by which others attribute. SENSITIVE_NONE for all else.
recording::v1::Sensitive sensitivity_of(std::string_view path);

}  // namespace cairn::agent
