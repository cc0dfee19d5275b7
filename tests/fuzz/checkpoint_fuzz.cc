// Signed notes and checkpoints of strangers: what is read is written again as it was.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "recorder/proof/checkpoint.h"
#include "recorder/proof/note.h"

using namespace cairn;
using namespace cairn::recorder;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(input), size);
  if (const Result<SignedNote> note = parse_note(bytes)) {
    if (note_text(parse_note(note_text(*note)).value()) != note_text(*note)) std::abort();
    static_cast<void>(is_signed_by(*note, {.name = "demo/log", .public_key = std::string(32, 'k')}));
    static_cast<void>(cosigned_at(*note, {.name = "demo/log", .public_key = std::string(32, 'k')}));
    static_cast<void>(parse_checkpoint(note->text));
  }
  if (const Result<Checkpoint> checkpoint = parse_checkpoint(bytes)) {
    const std::string text = checkpoint_text(*checkpoint);
    if (checkpoint_text(parse_checkpoint(text).value()) != text) std::abort();
  }
  return 0;
}
