#pragma once

#include <string>
#include <string_view>

namespace cairn::cli {

// The node that a host name of ssh's means: "web-1.home" is web-1 in the cluster "home"; a name with dots that does not
// end in the cluster's is the node's own.
inline std::string node_name_of(std::string_view host, std::string_view cluster) {
  const std::string suffix = "." + std::string(cluster);
  if (host.size() > suffix.size() && host.ends_with(suffix)) host.remove_suffix(suffix.size());
  return std::string(host);
}

}  // namespace cairn::cli
