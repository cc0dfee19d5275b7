#pragma once

#include <string>

#include "auth/access/throttle.h"
#include "auth/service/issuer.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/enroll.pb.h"

namespace cairn::auth {

// cairn-enroll/1: gives hosts an identity for a token, and people certificates for a password. Thread-safe; blocks on
// the disk, and on bcrypt.
class Enrolment {
 public:
  // What is handed in outlives it.
  Enrolment(Store* store, const Issuer* issuer, const Clock* clock, Log log);

  // The answer, refusals included. Every attempt is in the audit log; of those that the throttle turns away, only the
  // log tells.
  enroll::v1::EnrollResponse answer(const enroll::v1::EnrollRequest& request);

  // Asks for a person's password anew, under the same throttle as logging in.
  //   fails  kDenied
  Result<void> check_password(const std::string& user, const std::string& password);

 private:
  Result<enroll::v1::JoinResponse> join(const enroll::v1::JoinRequest& request);
  Result<HostRecord> admit(const enroll::v1::JoinRequest& request, const std::string& secret_sha256);
  Result<enroll::v1::LoginResponse> login(const enroll::v1::LoginRequest& request);
  Result<void> refuse_login(const std::string& user);

  Store* store_;
  const Issuer* issuer_;
  const Clock* clock_;
  Log log_;
  Throttle logins_;
  Throttle joins_;
};

}  // namespace cairn::auth
