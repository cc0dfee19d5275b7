#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::proxy {

// Who may be between accept and first frame: what holds before anybody has proved who they are. Outlived by no Place.
// One thread.
class Admission {
 public:
  struct Limits {
    size_t at_once = 512;              // connections on their way in
    size_t at_once_per_address = 128;  // of one IPv4 address, or one IPv6 network of 64 bits
  };

  // One connection on its way in; counted until it goes.
  class Place {
   public:
    explicit Place(Admission* admission) : admission_(admission) { ++admission_->taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    // Says who it is, once that is known: "192.0.2.7:5022".
    //   fails  kUnavailable: this address has as many as it may
    Result<void> belongs_to(std::string_view address);

   private:
    Admission* admission_;
    std::string source_;  // counted under this; empty: nowhere yet
  };

  explicit Admission(Limits limits) : limits_(limits) {}

  void set_limits(Limits limits) { limits_ = limits; }
  bool is_full() const { return taken_ >= limits_.at_once; }
  size_t taken() const { return taken_; }

 private:
  Limits limits_;
  size_t taken_ = 0;
  std::map<std::string, size_t, std::less<>> per_source_;  // no more entries than places
};

// What counts as one source: the IPv4 address itself, of an IPv6 address its first 64 bits, which one customer has
// whole.
std::string source_of(std::string_view address);

}  // namespace cairn::proxy
