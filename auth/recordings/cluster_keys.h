#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/crypto.h"
#include "recorder/proof/note.h"
#include "recorder/recording_keys.h"

namespace cairn::auth {

// What auth holds to sign and to read recordings with, in one folder (0700, files 0600): recordings.age, the age
// identity of the cluster, and log.key, the Ed25519 key that cosigns checkpoints. Immutable; any thread.
class ClusterKeys {
 public:
  // Reads them, or makes what is missing on first start.
  //   recipients  to whom recordings are encrypted: "cluster" and "age1…"; never empty
  //   fails       kInvalid: a recipient is none; kCorrupt: a file is damaged; an errno
  static Result<ClusterKeys> open(const std::filesystem::path& folder, const std::string& cluster,
                                  const std::vector<std::string>& recipients);

  // "age1…", for nodes.
  const std::vector<std::string>& recipients() const { return recipients_; }

  // The keys of the recording that begins so.
  //   fails  kDenied: it is encrypted to others
  Result<std::shared_ptr<const recorder::RecordingKeys>> keys_of(const recorder::Opening& opening) const;

  // "CLUSTER/log", the name under which auth signs.
  const std::string& signer_name() const { return signer_name_; }
  std::string signer_public_key() const { return cosigner_->public_bytes(); }
  // X.509, DER: the host authority's word for that key. Set once, by who has the authority.
  const std::string& signer_certificate() const { return signer_certificate_; }
  void set_signer_certificate(std::string der) { signer_certificate_ = std::move(der); }
  void cosign(recorder::SignedNote& note, int64_t wall_s) const;
  void sign(recorder::SignedNote& note) const;

 private:
  ClusterKeys() = default;

  std::shared_ptr<const recorder::AgeIdentity> identity_;
  std::shared_ptr<const recorder::Ed25519Key> cosigner_;
  std::vector<std::string> recipients_;
  std::string signer_name_;
  std::string signer_certificate_;
};

}  // namespace cairn::auth
