#pragma once

#include <utility>
#include <vector>

#include "tunnel/connect.h"

namespace cairn::agent {

// The cluster's proxies, any of which leads to auth; and the one that did so last. Shared by all who ask auth, so that
// what one has found out the others need not. One thread.
class ProxyChoice {
 public:
  // `proxies`: one at least; the first is asked first.
  explicit ProxyChoice(std::vector<tunnel::Address> proxies) : proxies_(std::move(proxies)) {}

  const tunnel::Address& current() const { return proxies_[current_]; }
  // `proxy` led nowhere: the next one's turn, unless somebody else has said so already.
  void pass_over(const tunnel::Address& proxy) {
    if (proxy == current()) current_ = (current_ + 1) % proxies_.size();
  }
  void replace(std::vector<tunnel::Address> proxies) {
    proxies_ = std::move(proxies);
    current_ = 0;
  }

 private:
  std::vector<tunnel::Address> proxies_;
  size_t current_ = 0;
};

}  // namespace cairn::agent
