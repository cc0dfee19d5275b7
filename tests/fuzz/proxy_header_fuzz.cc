// What a load balancer, or who poses as one, sends first. Whatever it is cut into, the answer must be the same, and the
// header must not be longer than what has come.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tunnel/networks.h"
#include "tunnel/proxy_header.h"

namespace {

using cairn::tunnel::parse_proxy_header;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), size);
  const auto whole = parse_proxy_header(bytes);
  if (!whole || !*whole) return 0;
  require((*whole)->bytes <= size && (*whole)->bytes <= cairn::tunnel::kMaxProxyHeaderBytes);
  // What is called a source is an address with a port.
  if (!(*whole)->source.empty())
    require(cairn::tunnel::is_in_networks(cairn::tunnel::host_of((*whole)->source), "0.0.0.0/0,::/0").value());
  for (size_t kept = 0; kept < (*whole)->bytes; kept++) {
    const auto cut = parse_proxy_header(bytes.substr(0, kept));
    require(cut.has_value() && !cut->has_value());
  }
  return 0;
}
