#include "tunnel/networks.h"

#include <charconv>
#include <optional>
#include <string>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <fmt/format.h>

#include "base/log.h"

namespace cairn::tunnel {
namespace {

namespace ip = boost::asio::ip;

ip::address unmapped(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

std::optional<ip::address> address_from(std::string_view text) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return unmapped(address);
}

// Whether the bits of both beyond nothing and up to `prefix_bits` agree.
template <class Network, class Address>
bool shares_prefix(const Address& a, const Address& b, unsigned short prefix_bits) {
  return Network(a, prefix_bits).canonical().address() == Network(b, prefix_bits).canonical().address();
}

template <class Network, class Address> bool has_bits_beyond(const Address& address, unsigned short prefix_bits) {
  return Network(address, prefix_bits).canonical().address() != address;
}

Failure malformed(std::string_view member) {
  return fail(Errc::kInvalid, fmt::format("{} is neither an address nor a network", quoted_if_needed(member)));
}

Result<bool> is_in_network(const ip::address& address, std::string_view member) {
  const size_t slash = member.find('/');
  const std::optional<ip::address> network = address_from(member.substr(0, slash));
  if (!network) return malformed(member);
  const unsigned most_bits = network->is_v4() ? 32 : 128;
  unsigned prefix_bits = most_bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = member.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), prefix_bits);
    if (error != std::errc() || end != digits.end() || prefix_bits > most_bits) return malformed(member);
  }
  const auto bits = static_cast<unsigned short>(prefix_bits);
  const bool is_sloppy = network->is_v4() ? has_bits_beyond<ip::network_v4>(network->to_v4(), bits)
                                          : has_bits_beyond<ip::network_v6>(network->to_v6(), bits);
  if (is_sloppy) return malformed(member);
  if (network->is_v4() != address.is_v4()) return false;
  return network->is_v4() ? shares_prefix<ip::network_v4>(network->to_v4(), address.to_v4(), bits)
                          : shares_prefix<ip::network_v6>(network->to_v6(), address.to_v6(), bits);
}

}  // namespace

Result<bool> is_in_networks(std::string_view address, std::string_view list) {
  const std::optional<ip::address> from = address_from(address);
  if (!from) return malformed(address);
  bool is_inside = false;
  for (std::string_view rest = list;;) {
    const size_t comma = rest.find(',');
    const Result<bool> inside = is_in_network(*from, rest.substr(0, comma));
    if (!inside) return fail(inside);
    is_inside = is_inside || *inside;
    if (comma == std::string_view::npos) return is_inside;
    rest.remove_prefix(comma + 1);
  }
}

std::string endpoint_text(const ip::address& address, uint16_t port) {
  const ip::address plain = unmapped(address);
  return fmt::format(fmt::runtime(plain.is_v6() ? "[{}]:{}" : "{}:{}"), plain.to_string(), port);
}

std::string_view host_of(std::string_view address_and_port) {
  if (address_and_port.starts_with('[')) return address_and_port.substr(1, address_and_port.find(']') - 1);
  const size_t colon = address_and_port.find(':');
  const bool is_bare_v6 =
      colon != std::string_view::npos && address_and_port.find(':', colon + 1) != std::string_view::npos;
  return is_bare_v6 ? address_and_port : address_and_port.substr(0, colon);
}

std::string_view port_of(std::string_view address_and_port) {
  const std::string_view host = host_of(address_and_port);
  const size_t colon = address_and_port.rfind(':');
  if (colon == std::string_view::npos || host.size() == address_and_port.size()) return "0";
  return address_and_port.substr(colon + 1);
}

}  // namespace cairn::tunnel
