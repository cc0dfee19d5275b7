#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "auth/ca/authorities.h"
#include "auth/store/records.h"
#include "base/clock.h"
#include "base/result.h"
#include "proto/enroll.pb.h"
#include "tunnel/identity.h"

namespace cairn::auth {

struct Lifetimes {
  std::chrono::seconds user{12 * 3600};
  std::chrono::seconds host{24 * 3600};
  std::chrono::seconds token{30 * 60};
};

// Makes certificates as this cluster wants them: who is named how, and for how long. Immutable; any thread.
class Issuer {
 public:
  // What is handed in outlives it.
  Issuer(const Authorities* authorities, std::string cluster, Lifetimes lifetimes, const Clock* clock)
      : authorities_(authorities), cluster_(std::move(cluster)), lifetimes_(lifetimes), clock_(clock) {}

  // For a node or proxy; PEM.
  //   fails  kInvalid: not a P-256 key
  Result<std::string> host_certificate(const HostRecord& host, const std::string& tls_public_key) const;

  // Both certificates of a person.
  //   ttl_s    wanted; 0 or more than the cluster's gives the cluster's
  //   returns  everything but `logins`
  //   fails    kInvalid, kUnsupported: one of the keys
  Result<enroll::v1::LoginResponse> user_certificates(const enroll::v1::LoginRequest& request,
                                                      const std::vector<std::string>& logins) const;

  // For the key with which one session's recording is signed; DER.
  //   fails  kInvalid: not an Ed25519 key
  Result<std::string> recording_certificate(const std::string& session_id, const std::string& node_id,
                                            const std::string& signing_key) const;
  // For the key with which auth cosigns, for ten years; DER.
  Result<std::string> cosigner_certificate(const std::string& signing_key) const;

  // Auth's own identity, with a fresh key.
  Result<tunnel::Identity> own_identity() const;

  const Authorities& authorities() const { return *authorities_; }
  const std::string& cluster() const { return cluster_; }
  const Lifetimes& lifetimes() const { return lifetimes_; }

 private:
  const Authorities* authorities_;
  std::string cluster_;
  Lifetimes lifetimes_;
  const Clock* clock_;
};

}  // namespace cairn::auth
