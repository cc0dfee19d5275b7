#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "base/result.h"

namespace cairn::tunnel {

// Whether `address` ("192.0.2.7" or "2001:db8::7", also "::ffff:192.0.2.7") lies in one of the networks of `list`: IPv4
// and IPv6 addresses and prefixes, separated by commas, as the certificate option source-address has them
// (ssh-keygen(1)).
//   fails  kInvalid: the address or any member of the list is malformed or has bits set beyond its prefix; so that a
//          list that is half understood lets nobody in
Result<bool> is_in_networks(std::string_view address, std::string_view list);

// "192.0.2.7:5022", "[2001:db8::7]:5022"; an IPv4 address that came in an IPv6 one (::ffff:192.0.2.7) as itself.
std::string endpoint_text(const boost::asio::ip::address& address, uint16_t port);
// The address of "192.0.2.7:5022" or "[2001:db8::7]:5022"; what has no port is returned as it is.
std::string_view host_of(std::string_view address_and_port);
// The port; "0" when there is none.
std::string_view port_of(std::string_view address_and_port);

}  // namespace cairn::tunnel
