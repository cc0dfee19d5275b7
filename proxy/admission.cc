#include "proxy/admission.h"

#include <boost/asio/ip/network_v6.hpp>
#include <fmt/format.h>

#include "tunnel/networks.h"

namespace cairn::proxy {

std::string source_of(std::string_view address) {
  namespace ip = boost::asio::ip;
  constexpr unsigned short kNetworkBits = 64;
  const std::string host(tunnel::host_of(address));
  boost::system::error_code error;
  const ip::address_v6 v6 = ip::make_address_v6(host, error);
  if (error) return host;
  return ip::network_v6(v6, kNetworkBits).canonical().to_string();
}

Admission::Place::~Place() {
  --admission_->taken_;
  const auto found = admission_->per_source_.find(source_);
  if (source_.empty() || found == admission_->per_source_.end()) return;
  if (--found->second == 0) admission_->per_source_.erase(found);
}

Result<void> Admission::Place::belongs_to(std::string_view address) {
  const std::string source = source_of(address);
  const auto found = admission_->per_source_.find(source);
  const size_t taken = found == admission_->per_source_.end() ? 0 : found->second;
  if (taken >= admission_->limits_.at_once_per_address)
    return fail(Errc::kUnavailable, fmt::format("{} has {} handshakes under way, its limit", source, taken));
  ++admission_->per_source_[source];
  source_ = source;
  return {};
}

}  // namespace cairn::proxy
