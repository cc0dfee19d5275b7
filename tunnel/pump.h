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

  // What poll(2) has found. All: nobody has asked it.
  struct Ready {
    bool connection = true;
    bool in = true;
    bool out = true;
  };

  // What to wait for now, ahead of the next serve(): the connection, `in` and `out`; a descriptor of -1 for nothing
  // (poll(2) passes it over).
  std::array<pollfd, 3> waits() const;
  static Ready ready(const std::array<pollfd, 3>& waited) {
    return {.connection = waited[0].revents != 0, .in = waited[1].revents != 0, .out = waited[2].revents != 0};
  }
  // Whether there is work that no descriptor tells of: then do not wait.
  bool has_more() const { return has_more_to_send_ || has_more_to_receive_; }
  // Moves what can be moved without waiting, of much only a share. What `in` had to say to its end is followed by
  // close_notify; the peer's end by the end of `out`, where that is a socket.
  //   ready  nothing else is tried: a system call that finds nothing costs a key as much as one that does
  void serve(Ready ready);
  void serve() { serve(Ready{}); }

  // What `out` has taken so far.
  uint64_t given_bytes() const { return given_bytes_; }
  // The peer has finished, and `out` has all of it or takes no more.
  bool has_received_all() const { return is_receiving_over_; }
  // Until both directions are over or `limit` has passed: for a farewell.
  void finish(std::chrono::milliseconds limit);

  // Why the connection ended, when it was no orderly end.
  const std::optional<Error>& error() const { return error_; }

 private:
  static constexpr size_t kBufferBytes = 4 * kTlsRecordBytes;  // about what a socket takes at once

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
  uint64_t given_bytes_ = 0;
  bool is_in_drained_ = false;  // it had no more when it was read last: poll(2) tells of what comes then
  bool is_input_over_ = false;
  bool is_sending_over_ = false;
  bool is_receiving_over_ = false;
  bool waits_to_send_ = false;  // the connection takes no more for now
  bool has_more_to_send_ = false;
  bool has_more_to_receive_ = true;  // the handshake may have read ahead
  std::optional<Error> error_;
};

}  // namespace cairn::tunnel
