#include "tunnel/client_hello.h"

#include <cstdint>

#include <fmt/format.h>

namespace cairn::tunnel {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHelloMessage = 1;
constexpr uint16_t kServerNameExtension = 0;
constexpr uint16_t kAlpnExtension = 16;
constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kMessageHeaderBytes = 4;
constexpr size_t kMaxRecordBytes = 1 << 14;

// Takes big-endian numbers and length-prefixed vectors off the front; has_failed once the bytes run out.
class Wire {
 public:
  explicit Wire(std::string_view bytes) : rest_(bytes) {}
  bool has_failed() const { return has_failed_; }
  bool is_empty() const { return rest_.empty(); }
  uint32_t number(size_t bytes) {
    uint32_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view vector(size_t length_bytes) { return take(number(length_bytes)); }
  std::string_view take(size_t bytes) {
    if (bytes > rest_.size()) {
      has_failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

 private:
  std::string_view rest_;
  bool has_failed_ = false;
};

Failure malformed(std::string_view what) { return fail(Errc::kInvalid, fmt::format("ClientHello: {}", what)); }

Result<void> read_extension(uint32_t type, std::string_view body, ClientHello* hello) {
  Wire wire(body);
  if (type == kAlpnExtension) {
    Wire names(wire.vector(2));
    while (!names.is_empty() && !names.has_failed()) hello->alpn.emplace_back(names.vector(1));
    if (wire.has_failed() || names.has_failed()) return malformed("broken ALPN extension");
  } else if (type == kServerNameExtension) {
    Wire names(wire.vector(2));
    const uint32_t name_type = names.number(1);
    const std::string_view name = names.vector(2);
    if (wire.has_failed() || names.has_failed()) return malformed("broken server name extension");
    if (name_type == 0) hello->server_name = std::string(name);
  }
  return {};
}

Result<std::optional<ClientHello>> parse_message(std::string_view body) {
  Wire wire(body);
  wire.take(2 + 32);  // legacy_version, random
  wire.vector(1);     // legacy_session_id
  wire.vector(2);     // cipher_suites
  wire.vector(1);     // legacy_compression_methods
  ClientHello hello;
  Wire extensions(wire.is_empty() ? std::string_view() : wire.vector(2));
  if (wire.has_failed()) return malformed("ends inside a field");
  while (!extensions.is_empty() && !extensions.has_failed()) {
    const uint32_t type = extensions.number(2);
    const std::string_view extension = extensions.vector(2);
    if (extensions.has_failed()) break;
    if (Result<void> read = read_extension(type, extension, &hello); !read) return fail(read);
  }
  if (extensions.has_failed()) return malformed("broken extensions");
  return std::optional<ClientHello>(std::move(hello));
}

}  // namespace

Result<std::optional<ClientHello>> parse_client_hello(std::string_view bytes) {
  std::string message;  // the handshake message, joined over records
  while (!bytes.empty()) {
    if (static_cast<uint8_t>(bytes[0]) != kHandshakeRecord) return malformed("this is not TLS");
    if (bytes.size() < kRecordHeaderBytes) return std::optional<ClientHello>();
    Wire header(bytes.substr(0, kRecordHeaderBytes));
    header.take(3);  // type, legacy_record_version
    const uint32_t record_bytes = header.number(2);
    if (record_bytes == 0 || record_bytes > kMaxRecordBytes) return malformed("record of a forbidden length");
    message += bytes.substr(kRecordHeaderBytes, record_bytes);
    bytes.remove_prefix(std::min(bytes.size(), kRecordHeaderBytes + record_bytes));

    if (!message.empty() && static_cast<uint8_t>(message[0]) != kClientHelloMessage)
      return malformed("another message comes first");
    if (message.size() < kMessageHeaderBytes) continue;
    Wire head(message);
    head.take(1);
    const uint32_t body_bytes = head.number(3);
    if (body_bytes > kMaxClientHelloBytes)
      return fail(Errc::kTooLarge, fmt::format("ClientHello of {} bytes, limit {}", body_bytes, kMaxClientHelloBytes));
    if (message.size() >= kMessageHeaderBytes + body_bytes)
      return parse_message(std::string_view(message).substr(kMessageHeaderBytes, body_bytes));
  }
  return std::optional<ClientHello>();
}

}  // namespace cairn::tunnel
