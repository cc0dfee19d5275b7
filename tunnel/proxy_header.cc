#include "tunnel/proxy_header.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "tunnel/networks.h"

namespace cairn::tunnel {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kVersion1 = "PROXY ";
constexpr size_t kFixedBytes = 16;  // signature, version and command, family, length
constexpr uint8_t kVersion = 2;
constexpr uint8_t kLocal = 0;
constexpr uint8_t kProxy = 1;

// Family and transport protocol, as they stand in one byte.
constexpr uint8_t kTcpOver4 = 0x11;
constexpr uint8_t kTcpOver6 = 0x21;
constexpr uint8_t kUnixStream = 0x31;
constexpr uint8_t kUnspecified = 0x00;

Failure malformed(std::string_view what) { return fail(Errc::kInvalid, fmt::format("PROXY header: {}", what)); }

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }
uint16_t be16_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// `addresses`: source, destination, source port, destination port.
template <class Address> Result<std::string> source_of(std::string_view addresses) {
  typename Address::bytes_type raw{};
  constexpr size_t kNeeded = 2 * raw.size() + 4;
  if (addresses.size() < kNeeded)
    return malformed(fmt::format("{} bytes of addresses, {} are needed", addresses.size(), kNeeded));
  std::memcpy(raw.data(), addresses.data(), raw.size());
  return endpoint_text(Address(raw), be16_at(addresses, 2 * raw.size()));
}

Result<std::string> source_in(uint8_t family, std::string_view addresses) {
  switch (family) {
    case kTcpOver4: return source_of<ip::address_v4>(addresses);
    case kTcpOver6: return source_of<ip::address_v6>(addresses);
    case kUnixStream:
    case kUnspecified: return std::string();
    default: return malformed(fmt::format("family and protocol 0x{:02x}, not TCP", family));
  }
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view bytes) {
  if (bytes.substr(0, kSignature.size()) != kSignature.substr(0, bytes.size())) {
    return malformed(bytes.starts_with(kVersion1) ? "it is of version 1; set the load balancer to version 2"
                                                  : "there is none, and this address must send one");
  }
  if (bytes.size() < kFixedBytes) return std::optional<ProxyHeader>();
  const uint8_t version = byte_at(bytes, 12) >> 4;
  const uint8_t command = byte_at(bytes, 12) & 0xf;
  if (version != kVersion) return malformed(fmt::format("version {}, expected {}", version, kVersion));
  if (command != kLocal && command != kProxy) return malformed(fmt::format("unknown command {}", command));
  const size_t length = be16_at(bytes, 14);
  if (kFixedBytes + length > kMaxProxyHeaderBytes)
    return fail(Errc::kTooLarge,
                fmt::format("PROXY header of {} bytes, limit {}", kFixedBytes + length, kMaxProxyHeaderBytes));
  if (bytes.size() < kFixedBytes + length) return std::optional<ProxyHeader>();
  ProxyHeader header{.bytes = kFixedBytes + length};
  if (command == kLocal) return std::optional<ProxyHeader>(std::move(header));
  Result<std::string> source = source_in(byte_at(bytes, 13), bytes.substr(kFixedBytes, length));
  if (!source) return fail(source);
  header.source = std::move(*source);
  return std::optional<ProxyHeader>(std::move(header));
}

}  // namespace cairn::tunnel
