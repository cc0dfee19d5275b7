#pragma once

namespace cairn {

// For std::unique_ptr of what a C library frees with this function of its own.
template <auto free> struct FreeWith {
  void operator()(auto* owned) const noexcept { free(owned); }
};

}  // namespace cairn
