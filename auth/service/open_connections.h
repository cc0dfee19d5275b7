#pragma once

#include <set>

#include "tunnel/stream.h"

namespace cairn::auth {

// Which connections are being served, so that the end of the program can close them. It outlives the event loop, whose
// coroutines hold the entries. Thread: the event loop's.
class OpenConnections {
 public:
  class Entry {
   public:
    Entry(OpenConnections* all, tunnel::Connection* connection) : all_(all), connection_(connection) {
      all_->open_.insert(connection_);
    }
    ~Entry() { all_->open_.erase(connection_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    OpenConnections* all_;
    tunnel::Connection* connection_;
  };

  bool empty() const { return open_.empty(); }
  void close_all() {
    for (tunnel::Connection* connection : open_) connection->close();
  }

 private:
  std::set<tunnel::Connection*> open_;
};

}  // namespace cairn::auth
