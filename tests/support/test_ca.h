#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tunnel/identity.h"

namespace cairn::testing_support {

// Seconds from now, negative for the past.
struct Validity {
  int64_t from_s = -60;
  int64_t until_s = 3600;
};

// A cluster's two X.509 authorities, made for one test. Aborts when OpenSSL fails: a test has nothing better to do.
class TestCa {
 public:
  explicit TestCa(std::string cluster = "testing");

  struct Subject {
    tunnel::Role role = tunnel::Role::kNode;
    std::string id = {};         // UUID or user name
    std::string name = {};       // DNS name; empty: none
    int64_t not_before_s = -60;  // relative to now
    int64_t not_after_s = 3600;
    std::string cluster = {};  // empty: this CA's
  };
  // An identity with a fresh key, signed by the authority for its role; `is_crossed` signs with the other one.
  std::shared_ptr<const tunnel::Identity> identity(const Subject& subject, bool is_crossed = false) const;
  // The certificate alone, for a key of somebody else.
  std::string certificate(const Subject& subject, const std::string& public_der, bool is_crossed = false) const;

  // The usual ones; nodes and proxies get a random UUID.
  std::shared_ptr<const tunnel::Identity> auth(Validity validity = {}) const;
  std::shared_ptr<const tunnel::Identity> proxy(const std::string& name = "proxy-1", Validity validity = {}) const;
  std::shared_ptr<const tunnel::Identity> node(const std::string& name = "web-1", Validity validity = {}) const;
  std::shared_ptr<const tunnel::Identity> user(const std::string& name = "alice", Validity validity = {}) const;

  enroll::v1::Authorities authorities() const;
  std::string pin() const;
  const std::string& cluster() const { return cluster_; }

 private:
  struct Authority {
    tunnel::EvpPkey key;
    std::string pem;
  };
  static Authority make_authority(const std::string& name);
  std::shared_ptr<const tunnel::Identity> usual(tunnel::Role role, std::string id, std::string name,
                                                Validity validity) const;

  std::string cluster_;
  Authority host_;
  Authority user_;
};

}  // namespace cairn::testing_support
