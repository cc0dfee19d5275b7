#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/crypto.h"

namespace cairn::recorder {

// Signed notes (C2SP signed-note v1): lines of text, an empty line, and a line for each signature,
// "— NAME BASE64(4-byte key id || signature)". And the cosignatures of C2SP tlog-cosignature v1, which add a time.

constexpr size_t kMaxNoteBytes = 16 * 1024;

struct NoteSignature {
  std::string name;   // of the key; no spaces, no '+'
  std::string bytes;  // key id and what follows
};

struct SignedNote {
  std::string text;  // with the last line's end
  std::vector<NoteSignature> signatures;
};

// Who may sign.
struct NoteKey {
  std::string name;
  std::string public_key;  // Ed25519
};

//   fails  kCorrupt: it is no signed note; kTooLarge
Result<SignedNote> parse_note(std::string_view note);
std::string note_text(const SignedNote& note);

// Adds a signature of `name` to the note.
void sign_note(SignedNote& note, const std::string& name, const Ed25519Key& key);
void cosign_note(SignedNote& note, const std::string& name, const Ed25519Key& key, uint64_t wall_s);

// Whether the note bears a good signature of this key. Signatures of others are passed over.
bool is_signed_by(const SignedNote& note, const NoteKey& key);
// The time, seconds since the epoch, at which this key cosigned the note; nullopt when it did not.
std::optional<uint64_t> cosigned_at(const SignedNote& note, const NoteKey& key);

}  // namespace cairn::recorder
