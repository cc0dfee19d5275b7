#include "recorder/session_signer.h"

#include "recorder/proof/note.h"

namespace cairn::recorder {

std::string SessionSigner::sign(const Checkpoint& checkpoint) const {
  SignedNote note{.text = checkpoint_text(checkpoint), .signatures = {}};
  sign_note(note, checkpoint.origin, key);
  return note_text(note);
}

std::string recording_origin(const std::string& cluster, const std::string& session_id) {
  return (cluster.empty() ? "cairn" : cluster) + "/recordings/" + session_id;
}

}  // namespace cairn::recorder
