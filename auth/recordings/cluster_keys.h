#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/chunk.h"
#include "recorder/crypto.h"
#include "recorder/proof/note.h"
#include "recorder/recording_keys.h"

namespace cairn::auth {

// What auth holds to sign and to read recordings with, in one folder (0700, files 0600): recordings.age, the age
// identities of the cluster, the one of now first and behind it those that it has replaced; and log.key, the Ed25519
// key that cosigns checkpoints. Any thread; what rotates blocks on the disk.
class ClusterKeys {
 public:
  // Reads them, or makes what is missing on first start.
  //   recipients  to whom recordings are encrypted: "cluster", "age1…", paths of PEM files, each a certificate or a
  //               public key, P-256 or RSA; never empty
  //   fails       kInvalid: a recipient is none; kCorrupt: a file is damaged; an errno
  static Result<ClusterKeys> open(const std::filesystem::path& folder, const std::string& cluster,
                                  const std::vector<std::string>& recipients);

  // "age1…" and "cms:…", for nodes.
  std::vector<std::string> recipients() const { return ring()->recipients; }
  // The same in one line, to tell whether something was encrypted to just these.
  std::string recipients_text() const { return text_of(recipients()); }
  static std::string text_of(std::vector<std::string> recipients);

  // The keys of the recording that begins so.
  //   later  its secret for recipients that came later (recorder::seal_secret); empty: there is none
  //   fails  kDenied: it is encrypted to others
  Result<std::shared_ptr<const recorder::RecordingKeys>> keys_of(const recorder::Opening& opening,
                                                                 std::string_view later) const;
  // A recording's secret for the recipients of now.
  std::string seal(std::string_view secret) const;

  // A new identity, to which recordings are encrypted from now on; the old ones are kept for reading. Once this
  // returns, power loss keeps it.
  //   returns  the new recipient
  Result<std::string> rotate();
  std::string current() const { return recipient_text(recipient_of(ring()->identities.front())); }
  std::vector<std::string> old_recipients() const;
  // True when an old identity opens this and the one of now does not.
  bool needs_old(const recorder::Opening& opening, std::string_view later) const;
  // Forgets the old identities; what is encrypted to them alone cannot be read any more.
  //   current  nothing is done, and kUnavailable, when it has been replaced meanwhile
  //   returns  how many there were
  Result<uint32_t> drop_old(const std::string& current);

  // "CLUSTER/log", the name under which auth signs.
  const std::string& signer_name() const { return signer_name_; }
  std::string signer_public_key() const { return cosigner_->public_bytes(); }
  // X.509, DER: the host authority's word for that key. Set once, by who has the authority.
  const std::string& signer_certificate() const { return signer_certificate_; }
  void set_signer_certificate(std::string der) { signer_certificate_ = std::move(der); }
  void cosign(recorder::SignedNote& note, int64_t wall_s) const;
  void sign(recorder::SignedNote& note) const;

 private:
  struct Ring {
    std::vector<recorder::Identity> identities;  // of age, at least one, that of now first
    std::vector<std::string> recipients;
  };
  ClusterKeys() = default;
  std::shared_ptr<const Ring> ring() const;
  Result<std::shared_ptr<const Ring>> ring_of(std::string_view file) const;
  Result<void> store_ring(std::string_view file);

  std::filesystem::path file_;
  std::vector<std::string> wanted_;  // "cluster", "age1…" and "cms:…"
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::unique_ptr<std::mutex> changing_ = std::make_unique<std::mutex>();  // by one at a time
  std::shared_ptr<const Ring> ring_;  // replaced as a whole, while others still read with the one before
  std::shared_ptr<const recorder::Ed25519Key> cosigner_;
  std::string signer_name_;
  std::string signer_certificate_;
};

}  // namespace cairn::auth
