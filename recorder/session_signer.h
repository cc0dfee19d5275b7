#pragma once

#include <optional>
#include <string>
#include <utility>

#include "recorder/crypto.h"
#include "recorder/proof/checkpoint.h"

namespace cairn::recorder {

// The key with which one session signs what it recorded, made where it is used and wiped with this. Its public half
// stands in the certificate that auth issued for the session.
struct SessionSigner {
  Ed25519Key key;
  std::string certificate;  // X.509, DER

  std::string sign(const Checkpoint& checkpoint) const;  // the signed note, under the checkpoint's origin as name
};

// "CLUSTER/recordings/SESSION_UUID": the name of a recording's tree, and of the key that signs it.
std::string recording_origin(const std::string& cluster, const std::string& session_id);
// Of the tree of what lies in the archive once it has recompressed it.
inline std::string archive_origin(const std::string& recording_origin) { return recording_origin + "/archive"; }

}  // namespace cairn::recorder
