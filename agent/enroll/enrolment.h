#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/enroll/node_identity.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/enroll.pb.h"
#include "tunnel/connect.h"

namespace cairn::agent {

struct EnrolmentOptions {
  std::filesystem::path data_dir;
  std::vector<tunnel::Address> proxies;  // one at least; asked in turn
  std::string token;                     // the secret, or "@/path" of a file that holds it
  std::string ca_pin;                    // "sha256:" and 64 hexadecimal digits
  bool is_pin_waived = false;            // an empty ca_pin is taken: auth is not authenticated
  std::string name;
  std::map<std::string, std::string> labels;
  std::chrono::milliseconds first_retry{1000};  // after a network problem; doubles
  std::chrono::milliseconds last_retry{30'000};
};

// How this node gets its identity: the stored one, or by joining with a token. Killed at any moment it leaves a data
// directory from which the next start goes on: the SSH host key is kept, the identity is stored last and as a whole.
class Enrolment {
 public:
  // One exchange over cairn-enroll/1; tunnel::enroll, or what a test puts in its place.
  using Ask = std::function<awaitable<Result<enroll::v1::EnrollResponse>>(tunnel::Address, std::string,
                                                                          enroll::v1::EnrollRequest, Deadline)>;

  // `clock` outlives it.
  Enrolment(EnrolmentOptions options, const Clock* clock, Log log, Ask ask = tunnel::enroll);

  // Tries again for as long as the network is at fault, until cancelled. A token is looked at only when no identity is
  // stored, or the stored one has expired.
  //   fails  kInvalid: no token, no pin, or one that is none. kExpired: the stored identity is too old and there is no
  //          token. kDenied: the pin does not match, or auth refused the token, in auth's words. An errno of the disk.
  awaitable<Result<NodeIdentity>> run();

 private:
  awaitable<Result<NodeIdentity>> join();
  awaitable<Result<enroll::v1::JoinResponse>> ask_until_answered(enroll::v1::EnrollRequest request);
  Result<void> check_pin() const;
  Result<std::string> token() const;

  EnrolmentOptions options_;
  const Clock* clock_;
  Log log_;
  Ask ask_;
};

}  // namespace cairn::agent
