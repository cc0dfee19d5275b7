// For ZSTD_c_stableInBuffer. A libzstd that knows it no more refuses it, or must() ends the first frame.
#define ZSTD_STATIC_LINKING_ONLY
#include "recorder/frame.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "recorder/columns.h"

namespace cairn::recorder {
namespace {

constexpr size_t kStepBytes = 64 * 1024;
constexpr int kFastestLevel = 1;
constexpr int kTableLog = 18;

void must(size_t result) {
  if (ZSTD_isError(result) != 0) std::abort();  // no memory: nothing else can go wrong when compressing
}

CompressionContext make_context(int level) {
  CompressionContext context(ZSTD_createCCtx());
  if (!context) std::abort();
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level));
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, kFrameWindowLog));
  return context;
}

// With tables that suit 1 MiB. At level 16 they take 2 MB; of an hour of typing tables of half the size would cost 1.7
// %, and tables twice as large save 1 %.
CompressionContext make_small_context(int level) {
  CompressionContext context = make_context(level);
  if (level > kFastestLevel) {
    must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, kTableLog));
    must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_chainLog, kTableLog));
  }
  return context;
}

// For a FrameWriter, whose raw bytes stay where they are.
CompressionContext make_frame_context(int level) {
  CompressionContext context = make_small_context(level);
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_stableInBuffer, 1));
  return context;
}

std::string compress(const CompressionContext& context, std::string_view raw) {
  std::string frame(ZSTD_compressBound(raw.size()), '\0');
  const size_t bytes = ZSTD_compress2(context.get(), frame.data(), frame.size(), raw.data(), raw.size());
  must(bytes);
  frame.resize(bytes);
  frame.shrink_to_fit();
  return frame;
}

}  // namespace

FrameWriter Compressor::begin(int level) {
  // A context keeps the largest tables that it ever had.
  if (!context_ || level != level_) {
    context_.reset();
    context_ = make_frame_context(level);
    level_ = level;
  }
  must(ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only));
  raw_.clear();
  raw_.reserve(kMaxRawBytes);
  return FrameWriter(context_.get(), &raw_, &frame_);
}

void FrameWriter::flush() {
  flushed_.push_back(raw_->size());
  run(ZSTD_e_flush, raw_->size());
}

void FrameWriter::compress_again(int level) {
  const CompressionContext context = make_frame_context(level);
  ZSTD_CCtx* const own_context = std::exchange(context_, context.get());
  const std::string before(bytes());
  taken_ = 0;
  bytes_ = 0;
  for (const size_t place : flushed_) run(ZSTD_e_flush, place);
  end();
  context_ = own_context;
  if (bytes_ <= before.size()) return;
  frame_->replace(0, before.size(), before);
  bytes_ = before.size();
}

void FrameWriter::run(ZSTD_EndDirective directive, size_t up_to) {
  ZSTD_inBuffer in{raw_->data(), up_to, taken_};
  size_t remaining = 1;
  while (remaining != 0 || in.pos < in.size) {
    // Room for all, so that zstd writes it where it stays.
    const size_t most = bytes_ + ZSTD_compressBound(in.size - in.pos);
    if (frame_->size() < most) frame_->resize(most);
    ZSTD_outBuffer out{frame_->data(), frame_->size(), bytes_};
    remaining = ZSTD_compressStream2(context_, &out, &in, directive);
    must(remaining);
    bytes_ = out.pos;
  }
  taken_ = in.pos;
}

FrameReader::FrameReader(size_t raw_limit) : context_(ZSTD_createDCtx()), raw_limit_(raw_limit) {
  if (!context_) std::abort();
  must(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kFrameWindowLog + 1));
}

Result<void> FrameReader::feed(std::string_view bytes) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (;;) {
    if (has_ended_ && in.pos < in.size) return fail(Errc::kCorrupt, "bytes follow the zstd frame");
    const size_t used = raw_.size();
    raw_.resize(std::min(used + kStepBytes, raw_limit_ + 1));
    ZSTD_outBuffer out{raw_.data(), raw_.size(), used};
    const size_t hint = has_ended_ ? 0 : ZSTD_decompressStream(context_.get(), &out, &in);
    raw_.resize(out.pos);
    if (ZSTD_isError(hint) != 0) return fail(Errc::kCorrupt, fmt::format("zstd: {}", ZSTD_getErrorName(hint)));
    if (raw_.size() > raw_limit_) {
      return fail(Errc::kCorrupt, fmt::format("a zstd frame of more than {} bytes", raw_limit_));
    }
    if (hint == 0) has_ended_ = true;
    // Nothing more comes out of what was put in.
    if (in.pos == in.size && (out.pos < out.size || has_ended_)) break;
  }
  raw_bytes_ = raw_.size();
  return {};
}

Result<Events> FrameReader::take() {
  Events events;
  while (raw_.size() - taken_ >= kBatchLengthBytes) {
    const uint32_t length = read_le32(raw_.data() + taken_);
    if (length > kMaxRawBytes) return fail(Errc::kCorrupt, fmt::format("a batch of {} bytes", length));
    if (raw_.size() - taken_ - kBatchLengthBytes < length) break;
    Result<DecodedColumns> batch = decode_columns(std::string_view(raw_).substr(taken_ + kBatchLengthBytes, length));
    if (!batch) return fail(batch);
    taken_ += kBatchLengthBytes + length;
    unknown_ += batch->unknown;
    events_ += batch->events.size() + batch->unknown;
    if (events_ > kMaxChunkEvents) return fail(Errc::kCorrupt, "a chunk with too many events");
    std::ranges::move(batch->events, std::back_inserter(events));
  }
  return events;
}

Result<std::string> decompress_frame(std::string_view frame, size_t raw_bytes) {
  FrameReader reader(raw_bytes);
  if (Result<void> fed = reader.feed(frame); !fed) return fail(fed);
  if (reader.raw_bytes() != raw_bytes) {
    return fail(Errc::kCorrupt, fmt::format("a zstd frame of {} bytes, not {}", reader.raw_bytes(), raw_bytes));
  }
  return reader.raw();
}

std::string compress_frame(std::string_view raw, int level) { return compress(make_small_context(level), raw); }

std::string compress_for_archive(std::string_view raw, int level) { return compress(make_context(level), raw); }

}  // namespace cairn::recorder
