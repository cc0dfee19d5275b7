#include "recorder/derive/derived_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/frame.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kMagic = "CAIRNDER";
constexpr size_t kSaltBytes = 32;
constexpr size_t kSessionAt = 16;
constexpr size_t kSaltAt = 32;
constexpr size_t kHeaderBytes = kSaltAt + kSaltBytes;
constexpr uint32_t kEncrypted = 1;
constexpr uint32_t kSegmentMagic = 0x47455344;  // "DSEG"
constexpr size_t kNoncesAt = 56;
constexpr size_t kSegmentBytes = kNoncesAt + 2 * kNonceBytes;
constexpr int kLevel = 3;
// A recording has at most so many chunks that are worth an index.
constexpr size_t kMaxSegments = 1 << 20;

std::string header_of(const std::array<unsigned char, 16>& session, bool is_encrypted) {
  std::string header(kSessionAt, '\0');
  std::memcpy(header.data(), kMagic.data(), kMagic.size());
  write_le32(header.data() + 8, kDerivedVersion);
  write_le32(header.data() + 12, is_encrypted ? kEncrypted : 0);
  header.append(session.begin(), session.end());
  return header + random_bytes(kSaltBytes);
}

bool is_header_of(std::string_view header, const std::array<unsigned char, 16>& session, bool is_encrypted) {
  return header.size() == kHeaderBytes && header.starts_with(kMagic) &&
         read_le32(header.data() + 8) == kDerivedVersion &&
         read_le32(header.data() + 12) == (is_encrypted ? kEncrypted : 0) &&
         std::memcmp(header.data() + kSessionAt, session.data(), session.size()) == 0;
}

std::string pack(std::string_view raw) {
  std::string packed(sizeof(uint32_t), '\0');
  write_le32(packed.data(), static_cast<uint32_t>(raw.size()));
  return packed + compress_frame(raw, kLevel);
}

Result<std::string> unpack(std::string_view packed, size_t limit) {
  if (packed.size() < sizeof(uint32_t)) return fail(Errc::kCorrupt, "derived data that are too short");
  const size_t raw_bytes = read_le32(packed.data());
  if (raw_bytes > limit) return fail(Errc::kCorrupt, fmt::format("derived data of {} bytes", raw_bytes));
  return decompress_frame(packed.substr(sizeof(uint32_t)), raw_bytes);
}

std::string segment_header(const DerivedSegment& segment) {
  std::string bytes(kNoncesAt, '\0');
  write_le32(bytes.data(), kSegmentMagic);
  write_le32(bytes.data() + 4, segment.state_bytes);
  write_le32(bytes.data() + 8, segment.content_bytes);
  write_le32(bytes.data() + 12, segment.commands);
  write_le64(bytes.data() + 16, segment.chunk);
  write_le64(bytes.data() + 24, segment.next_chunk);
  write_le64(bytes.data() + 32, segment.next_offset);
  write_le64(bytes.data() + 40, segment.first_boot_ns);
  write_le64(bytes.data() + 48, segment.last_boot_ns);
  return bytes;
}

// What must not be exchanged between files and segments.
std::string context_of(const std::string& header, const DerivedSegment& segment, bool is_content) {
  return header + segment_header(segment) + (is_content ? '1' : '0');
}

}  // namespace

Result<void> DerivedFile::walk() {
  end_ = kHeaderBytes;
  const off_t file_end = ::lseek(file_.get(), 0, SEEK_END);
  if (file_end < 0) return fail_errno("size of derived data");
  while (segments_.size() < kMaxSegments) {
    const Result<std::string> bytes = read_at(file_.get(), end_, kSegmentBytes);
    if (!bytes) return fail(bytes);
    if (bytes->size() < kSegmentBytes || read_le32(bytes->data()) != kSegmentMagic) break;
    DerivedSegment segment{.chunk = read_le64(bytes->data() + 16),
                           .next_chunk = read_le64(bytes->data() + 24),
                           .next_offset = read_le64(bytes->data() + 32),
                           .first_boot_ns = read_le64(bytes->data() + 40),
                           .last_boot_ns = read_le64(bytes->data() + 48),
                           .commands = read_le32(bytes->data() + 12),
                           .offset = end_,
                           .state_bytes = read_le32(bytes->data() + 4),
                           .content_bytes = read_le32(bytes->data() + 8)};
    if (segment.state_bytes > kMaxStateBytes || segment.content_bytes > kMaxContentBytes) break;
    const uint64_t next = end_ + kSegmentBytes + segment.state_bytes + segment.content_bytes;
    if (next > static_cast<uint64_t>(file_end)) break;
    segments_.push_back(segment);
    end_ = next;
  }
  return {};
}

Result<DerivedFile> DerivedFile::open(UniqueFd file, const std::array<unsigned char, 16>& session,
                                      const RecordingKeys* keys) {
  DerivedFile opened(std::move(file), {}, {});
  Result<std::string> header = read_at(opened.file_.get(), 0, kHeaderBytes);
  if (!header) return fail(header);
  if (!is_header_of(*header, session, keys != nullptr)) return fail(Errc::kNotFound, "nothing is derived yet");
  opened.header_ = std::move(*header);
  if (keys != nullptr) opened.key_ = keys->derived_key(std::string_view(opened.header_).substr(kSaltAt));
  if (Result<void> walked = opened.walk(); !walked) return fail(walked);
  return opened;
}

Result<DerivedFile> DerivedFile::open_or_begin(UniqueFd file, const std::array<unsigned char, 16>& session,
                                               const RecordingKeys* keys) {
  UniqueFd again(::dup(file.get()));
  if (!again) return fail_errno("derived data");
  Result<DerivedFile> there = open(std::move(file), session, keys);
  if (there && ::ftruncate(again.get(), static_cast<off_t>(there->end_)) != 0) return fail_errno("cut derived data");
  if (there || there.error().code != make_error_code(Errc::kNotFound)) return there;
  const std::string header = header_of(session, keys != nullptr);
  if (::ftruncate(again.get(), 0) != 0 || ::lseek(again.get(), 0, SEEK_SET) != 0)
    return fail_errno("empty derived data");
  if (Result<void> written = write_all(again.get(), header); !written) return fail(written);
  return open(std::move(again), session, keys);
}

Result<std::string> DerivedFile::open_part(const DerivedSegment& segment, bool is_content) const {
  const size_t bytes = is_content ? segment.content_bytes : segment.state_bytes;
  const uint64_t offset = segment.offset + kSegmentBytes + (is_content ? segment.state_bytes : 0);
  const Result<std::string> stored = read_at(file_.get(), offset, bytes);
  if (!stored) return fail(stored);
  const size_t limit = is_content ? kMaxContentBytes : kMaxStateBytes;
  if (key_.empty()) return unpack(*stored, limit);
  const Result<std::string> nonce =
      read_at(file_.get(), segment.offset + kNoncesAt + (is_content ? kNonceBytes : 0), kNonceBytes);
  if (!nonce) return fail(nonce);
  if (nonce->size() != kNonceBytes) return fail(Errc::kCorrupt, "derived data that are too short");
  const Result<std::string> packed =
      aead_open(Cipher::kAes256Gcm, key_.view(), *nonce, *stored, context_of(header_, segment, is_content));
  if (!packed) return fail(packed);
  return unpack(*packed, limit);
}

Result<std::string> DerivedFile::state(const DerivedSegment& segment) const { return open_part(segment, false); }

Result<derived::v1::Content> DerivedFile::content(const DerivedSegment& segment) const {
  const Result<std::string> bytes = open_part(segment, true);
  if (!bytes) return fail(bytes);
  derived::v1::Content content;
  if (!content.ParseFromString(*bytes)) return fail(Errc::kCorrupt, "derived data that cannot be read");
  return content;
}

Result<void> DerivedFile::append(DerivedSegment segment, std::string_view state, const derived::v1::Content& content) {
  std::string packed_state = pack(state);
  std::string packed_content = pack(content.SerializeAsString());
  const size_t tag = key_.empty() ? 0 : kTagBytes;
  if (packed_state.size() + tag > kMaxStateBytes || packed_content.size() + tag > kMaxContentBytes)
    return fail(Errc::kTooLarge, "more was derived than can be kept");
  segment.offset = end_;
  segment.commands = static_cast<uint32_t>(content.started_size());
  segment.state_bytes = static_cast<uint32_t>(packed_state.size() + tag);
  segment.content_bytes = static_cast<uint32_t>(packed_content.size() + tag);
  // Random: a file that was cut may see the same segment again, with other content.
  const std::string nonces = random_bytes(2 * kNonceBytes);
  if (!key_.empty()) {
    const std::string_view view(nonces);
    packed_state = aead_seal(Cipher::kAes256Gcm, key_.view(), view.substr(0, kNonceBytes), packed_state,
                             context_of(header_, segment, false));
    packed_content = aead_seal(Cipher::kAes256Gcm, key_.view(), view.substr(kNonceBytes), packed_content,
                               context_of(header_, segment, true));
  }
  if (::lseek(file_.get(), static_cast<off_t>(end_), SEEK_SET) < 0) return fail_errno("derived data");
  const std::string bytes = segment_header(segment) + nonces + packed_state + packed_content;
  if (Result<void> written = write_all(file_.get(), bytes); !written) return fail(written, "derived data");
  segments_.push_back(segment);
  end_ += bytes.size();
  return {};
}

}  // namespace cairn::recorder
