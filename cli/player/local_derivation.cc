#include "cli/player/local_derivation.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>

#include <fmt/format.h>

#include "base/file.h"
#include "recorder/recording_decoder.h"

namespace cairn::cli {
namespace {

constexpr auto kKept = std::chrono::hours(24 * 30);
constexpr std::chrono::milliseconds kNoWait{0};

void forget_old(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto oldest = std::filesystem::file_time_type::clock::now() - kKept;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.last_write_time(ignored) < oldest) std::filesystem::remove(entry.path(), ignored);
  }
}

Result<recorder::DeriveInput> input_of(RecordingSource& source, std::string_view beginning) {
  recorder::DeriveInput input;
  recorder::RecordingDecoder decoder([&](const recorder::Opening& opening) {
    Result<std::shared_ptr<const recorder::RecordingKeys>> keys = source.unlock(opening);
    if (keys) input.keys = *keys;
    return keys;
  });
  decoder.feed(beginning);
  const Result<std::optional<recorder::Event>> begin = decoder.next();
  if (!begin) return fail(begin, source.name());
  if (!*begin) return fail(Errc::kTruncated, fmt::format("{} has no beginning", source.name()));
  // The keys are asked for with the first chunk that has content.
  if (!input.keys && !decoder.opening().sealed_secret().empty()) {
    Result<std::shared_ptr<const recorder::RecordingKeys>> keys = source.unlock(decoder.opening());
    if (!keys) return fail(keys);
    input.keys = std::move(*keys);
  }
  input.session = decoder.header().session;
  return input;
}

}  // namespace

Result<recorder::Derived> LocalDerivation::read(RecordingSource& source, uint64_t chunks) const {
  Result<recorder::DerivedCache> cache = recorder::DerivedCache::open(folder_);
  if (!cache) return fail(cache);
  forget_old(folder_);
  ReadPlace place;
  Result<RecordingSource::Piece> piece = source.read(place, RecordingSource::kMaxPieceBytes, kNoWait);
  if (!piece) return fail(piece);
  Result<recorder::DeriveInput> input = input_of(source, piece->bytes);
  if (!input) return fail(input);
  input->chunks = chunks;
  if (chunks > 0) {
    Result<recorder::Derived> known = cache->look(source.identity(), *input);
    if (known) return known;
  }
  input->recording = UniqueFd(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!input->recording) return fail_errno(fmt::format("make a file in {}", folder_.string()));
  for (;;) {
    if (piece->is_live) return fail(Errc::kUnsupported, fmt::format("{} is still live", source.name()));
    if (!piece->tail.empty()) {
      input->pieces_of = place.tail_chunk = piece->tail_chunk;
      place.tail_bytes += piece->tail.size();
      input->pieces += piece->tail;
    } else if (piece->bytes.empty()) {
      break;
    }
    if (Result<void> written = write_all(input->recording.get(), piece->bytes); !written) return fail(written);
    place.offset += piece->bytes.size();
    piece = source.read(place, RecordingSource::kMaxPieceBytes, kNoWait);
    if (!piece) return fail(piece);
  }
  input->wants_open_chunk = !input->pieces.empty();
  return cache->derive(source.identity(), *input);
}

}  // namespace cairn::cli
