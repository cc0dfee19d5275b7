#include "recorder/proof/note.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space
constexpr size_t kKeyIdBytes = 4;
constexpr size_t kTimeBytes = 8;
constexpr size_t kMaxSignatures = 16;

// The byte that tells the kinds of signatures apart in a key id.
enum SignatureType : unsigned char { kEd25519 = 0x01, kCosignature = 0x04 };

std::string key_id(const std::string& name, SignatureType type, std::string_view public_key) {
  return sha256(name + '\n' + static_cast<char>(type) + std::string(public_key)).substr(0, kKeyIdBytes);
}

std::string cosigned_text(uint64_t wall_s, const std::string& text) {
  return fmt::format("cosignature/v1\ntime {}\n{}", wall_s, text);
}

std::string big_endian(uint64_t value) {
  std::string bytes(kTimeBytes, '\0');
  write_be32(bytes.data(), static_cast<uint32_t>(value >> 32));
  write_be32(bytes.data() + 4, static_cast<uint32_t>(value));
  return bytes;
}

uint64_t from_big_endian(const char* at) { return static_cast<uint64_t>(read_be32(at)) << 32 | read_be32(at + 4); }

Result<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return fail(Errc::kCorrupt, "a signed note's signature line without its dash");
  line.remove_prefix(kDash.size());
  const size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos) return fail(Errc::kCorrupt, "a signature without a key's name");
  Result<std::string> bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kKeyIdBytes) return fail(Errc::kCorrupt, "a signature that is no base64 of one");
  return NoteSignature{.name = std::string(line.substr(0, space)), .bytes = std::move(*bytes)};
}

bool is_of(const NoteSignature& signature, const NoteKey& key, SignatureType type) {
  return signature.name == key.name && signature.bytes.starts_with(key_id(key.name, type, key.public_key));
}

}  // namespace

Result<SignedNote> parse_note(std::string_view note) {
  if (note.size() > kMaxNoteBytes) return fail(Errc::kTooLarge, "a signed note beyond its limit");
  if (std::ranges::any_of(note, [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\n'; })) {
    return fail(Errc::kCorrupt, "a signed note with control characters");
  }
  const size_t end = note.rfind("\n\n");
  if (end == std::string_view::npos) return fail(Errc::kCorrupt, "a signed note without signatures");
  SignedNote parsed{.text = std::string(note.substr(0, end + 1)), .signatures = {}};
  for (std::string_view lines = note.substr(end + 2); !lines.empty();) {
    const size_t line_end = lines.find('\n');
    if (line_end == std::string_view::npos || parsed.signatures.size() == kMaxSignatures) {
      return fail(Errc::kCorrupt, "a signed note that ends inside a line, or bears too many signatures");
    }
    Result<NoteSignature> signature = parse_signature(lines.substr(0, line_end));
    if (!signature) return fail(signature);
    parsed.signatures.push_back(std::move(*signature));
    lines.remove_prefix(line_end + 1);
  }
  if (parsed.signatures.empty()) return fail(Errc::kCorrupt, "a signed note without signatures");
  return parsed;
}

std::string note_text(const SignedNote& note) {
  std::string text = note.text + '\n';
  for (const NoteSignature& signature : note.signatures) {
    text += fmt::format("{}{} {}\n", kDash, signature.name, to_base64(signature.bytes));
  }
  return text;
}

void sign_note(SignedNote& note, const std::string& name, const Ed25519Key& key) {
  note.signatures.push_back({.name = name, .bytes = key_id(name, kEd25519, key.public_bytes()) + key.sign(note.text)});
}

void cosign_note(SignedNote& note, const std::string& name, const Ed25519Key& key, uint64_t wall_s) {
  const std::string signature = key.sign(cosigned_text(wall_s, note.text));
  note.signatures.push_back(
      {.name = name, .bytes = key_id(name, kCosignature, key.public_bytes()) + big_endian(wall_s) + signature});
}

bool is_signed_by(const SignedNote& note, const NoteKey& key) {
  return std::ranges::any_of(note.signatures, [&](const NoteSignature& signature) {
    return is_of(signature, key, kEd25519) &&
           verify_ed25519(key.public_key, note.text, std::string_view(signature.bytes).substr(kKeyIdBytes));
  });
}

std::optional<uint64_t> cosigned_at(const SignedNote& note, const NoteKey& key) {
  for (const NoteSignature& signature : note.signatures) {
    if (!is_of(signature, key, kCosignature) || signature.bytes.size() != kKeyIdBytes + kTimeBytes + kSignatureBytes) {
      continue;
    }
    const uint64_t wall_s = from_big_endian(signature.bytes.data() + kKeyIdBytes);
    const std::string_view bytes = std::string_view(signature.bytes).substr(kKeyIdBytes + kTimeBytes);
    if (verify_ed25519(key.public_key, cosigned_text(wall_s, note.text), bytes)) return wall_s;
  }
  return std::nullopt;
}

}  // namespace cairn::recorder
