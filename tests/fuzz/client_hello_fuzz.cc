// The first bytes of strangers. Whatever a ClientHello is cut into, the answer must be the same: more is needed until
// it is whole, then one result; and a prefix is never refused when the whole is accepted.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tunnel/client_hello.h"

namespace {

using cairn::tunnel::parse_client_hello;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), size);
  const auto whole = parse_client_hello(bytes);
  if (!whole) return 0;
  size_t offered = 0;
  if (*whole) {
    for (const std::string& name : (*whole)->alpn) offered += name.size();
    require(offered + (*whole)->server_name.size() <= size);
  }
  for (size_t kept = 0; kept < size; kept += 1 + kept / 16) {
    const auto cut = parse_client_hello(bytes.substr(0, kept));
    require(cut.has_value());
    if (*cut) {
      require(whole->has_value() && (*cut)->alpn == (*whole)->alpn && (*cut)->server_name == (*whole)->server_name);
    }
  }
  return 0;
}
