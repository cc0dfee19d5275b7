#include "recorder/html/packed.h"

#include <zlib.h>

#include "base/bytes.h"
#include "base/must.h"

namespace cairn::recorder {
namespace {

constexpr int kGzip = 15 + 16;  // deflateInit2: the largest window, and a gzip header, which holds no time
constexpr int kMemory = 8;      // zlib's default

}  // namespace

std::string packed(std::string_view text) {
  z_stream stream{};
  must(::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string compressed(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  must(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  compressed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return to_base64(compressed);
}

}  // namespace cairn::recorder
