#pragma once

#include <poll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "tunnel/tls_engine.h"

namespace cairn::tunnel {

// Joins a TLS connection with two descriptors of this process, raw bytes both ways, on the caller's own poll(2): a key
// that is typed wakes one thread, where an event loop beside the caller's would wake two. One thread; SIGPIPE ignored.
class Pump {
 public:
  //   connection, tls  as TlsStream::take_apart() gives them
  //   in, out          what is sent, and where what comes goes: non-blocking, or never waited for (files). Borrowed;
  //                    the same one twice where it is a socket.
  Pump(UniqueFd connection, TlsEngine tls, int in, int out);
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // What to wait for now, ahead of the next serve(); a descriptor of -1 for nothing (poll(2) passes it over).
  std::array<pollfd, 3> waits() const;
  // Whether there is work that no descriptor tells of: then do not wait.
  bool has_more() const { return has_more_; }
  // Moves what can be moved without waiting, of much only a share. What `in` had to say to its end is followed by
  // close_notify; the peer's end by the end of `out`, where that is a socket.
  void serve();

  // The peer has finished, and `out` has all of it or takes no more.
  bool has_received_all() const { return is_receiving_over_; }
  // Until both directions are over or `limit` has passed: for a farewell.
  void finish(std::chrono::milliseconds limit);

  // Why the connection ended, when it was no orderly end.
  const std::optional<Error>& error() const { return error_; }

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;  // about what a socket takes at once

  struct Held {
    // Not initialised: of a session that types, one page is ever touched.
    std::unique_ptr<char[]> bytes = std::make_unique_for_overwrite<char[]>(kBufferBytes);
    size_t begin = 0;
    size_t end = 0;
    bool is_empty() const { return begin == end; }
  };

  bool send_some();
  bool take_input();
  void end_sending(std::optional<Error> why);
  bool receive_some();
  bool give_output();
  void end_receiving(std::optional<Error> why);

  UniqueFd connection_;
  TlsEngine tls_;
  int in_;
  int out_;
  Held to_send_;
  Held received_;
  bool is_input_over_ = false;
  bool is_sending_over_ = false;
  bool is_receiving_over_ = false;
  bool waits_to_send_ = false;  // the connection takes no more for now
  bool has_more_ = true;        // the handshake may have read ahead
  std::optional<Error> error_;
};

}  // namespace cairn::tunnel
