#include "recorder/derive/derive.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "recorder/chunk.h"
#include "recorder/derive/derived_file.h"
#include "recorder/derive/deriver.h"
#include "recorder/recording_decoder.h"

namespace cairn::recorder {
namespace {

// One whole chunk; nullopt where there is none, or not yet.
Result<std::optional<std::string>> chunk_at(int fd, uint64_t offset) {
  const Result<std::string> start = read_at(fd, offset, kMaxHeaderBytes);
  if (!start) return fail(start);
  const Result<ChunkHeader> header = parse_chunk_header(*start);
  if (!header || header->type == ChunkType::kProof) return std::optional<std::string>();
  Result<std::string> chunk = read_at(fd, offset, header->size());
  if (!chunk) return fail(chunk);
  if (chunk->size() < header->size()) return std::optional<std::string>();
  return std::optional(std::move(*chunk));
}

// Where the chunk of that number lies: where it was, unless the recording has been recompressed since.
Result<uint64_t> find_chunk(int fd, uint64_t number, uint64_t expected_offset) {
  const auto header_at = [fd](uint64_t offset) -> Result<ChunkHeader> {
    const Result<std::string> head = read_at(fd, offset, kMaxHeaderBytes);
    return head ? parse_chunk_header(*head) : fail(head);
  };
  const off_t file_end = ::lseek(fd, 0, SEEK_END);
  if (file_end < 0) return fail_errno("size of the recording");
  const Result<ChunkHeader> there = header_at(expected_offset);
  if (expected_offset == static_cast<uint64_t>(file_end) || (there && there->number == number)) return expected_offset;
  for (uint64_t offset = 0; offset < static_cast<uint64_t>(file_end);) {
    const Result<ChunkHeader> header = header_at(offset);
    if (!header) break;
    if (header->number == number) return offset;
    offset += header->size();
  }
  return expected_offset;
}

class Derivation {
 public:
  explicit Derivation(DeriveJob job)
      : job_(std::move(job)),
        keys_(job_.keys ? std::make_shared<const RecordingKeys>(std::move(*job_.keys)) : nullptr),
        decoder_([this](const Opening&) -> Result<std::shared_ptr<const RecordingKeys>> {
          if (!keys_) return fail(Errc::kDenied, "the recording is encrypted, and there is no key");
          return keys_;
        }) {}

  Result<void> run() {
    const Result<std::optional<std::string>> there = chunk_at(job_.recording.get(), 0);
    if (!there) return fail(there);
    const std::optional<std::string>& first = *there;
    if (!first) return {};  // nothing is there yet
    const Result<ChunkHeader> header = parse_chunk_header(*first);
    if (!header) return fail(header);
    session_ = header->session;
    Result<DerivedFile> derived = DerivedFile::open_or_begin(std::move(job_.derived), session_, keys_.get());
    if (!derived) return fail(derived);
    if (Result<void> resumed = resume(*derived, *first); !resumed) return resumed;
    if (Result<void> added = add_chunks(*derived); !added) return added;
    // A chunk that has been sealed meanwhile was derived as a whole.
    return job_.draft && job_.pieces_of == next_ ? draft() : Result<void>();
  }

 private:
  Result<void> take_events() {
    for (;;) {
      const Result<std::optional<Event>> next = decoder_.next();
      if (!next) return fail(next);
      const std::optional<Event>& event = *next;
      if (!event) return {};
      deriver_.feed(*event);
    }
  }

  Result<void> resume(const DerivedFile& derived, const std::string& first) {
    if (derived.segments().empty()) return {};
    const DerivedSegment& last = derived.segments().back();
    const Result<std::string> state = derived.state(last);
    if (!state) return fail(state);
    decoder_.feed(first);
    if (Result<void> taken = take_events(); !taken) return taken;
    Result<Deriver> before = Deriver::restore(*state);
    if (!before) return fail(before);
    deriver_ = std::move(*before);
    next_ = last.next_chunk;
    const Result<uint64_t> offset = find_chunk(job_.recording.get(), next_, last.next_offset);
    if (!offset) return fail(offset);
    offset_ = *offset;
    decoder_.jump(next_, offset_);
    return {};
  }

  Result<void> add_chunks(DerivedFile& derived) {
    for (;;) {
      const Result<std::optional<std::string>> there = chunk_at(job_.recording.get(), offset_);
      if (!there) return fail(there);
      const std::optional<std::string>& chunk = *there;
      if (!chunk) return {};
      decoder_.feed(*chunk);
      if (Result<void> taken = take_events(); !taken) return taken;
      offset_ += chunk->size();
      const DerivedSegment segment{.chunk = next_,
                                   .next_chunk = next_ + 1,
                                   .next_offset = offset_,
                                   .first_boot_ns = decoder_.header().first_boot_ns,
                                   .last_boot_ns = deriver_.last_boot_ns()};
      ++next_;
      if (Result<void> added = derived.append(segment, deriver_.save(), deriver_.take()); !added) return added;
    }
  }

  Result<void> draft() {
    Result<DerivedFile> file = DerivedFile::open_or_begin(std::move(job_.draft), session_, keys_.get());
    if (!file) return fail(file);
    decoder_.feed_pieces(next_, job_.pieces);
    if (Result<void> taken = take_events(); !taken) return taken;
    deriver_.settle();
    const DerivedSegment segment{.chunk = next_,
                                 .next_chunk = next_,
                                 .next_offset = offset_,
                                 .first_boot_ns = 0,
                                 .last_boot_ns = deriver_.last_boot_ns()};
    return file->append(segment, {}, deriver_.take());
  }

  DeriveJob job_;
  std::shared_ptr<const RecordingKeys> keys_;
  RecordingDecoder decoder_;
  Deriver deriver_;
  std::array<unsigned char, 16> session_ = {};
  uint64_t next_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace

Result<void> derive(DeriveJob job) { return Derivation(std::move(job)).run(); }

}  // namespace cairn::recorder
