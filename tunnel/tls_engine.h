#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <openssl/ssl.h>

#include "base/free_with.h"
#include "base/result.h"
#include "tunnel/tls.h"

namespace cairn::tunnel {

enum class TlsSide { kClient, kServer };

// TLS 1.3 on a non-blocking descriptor, for who waits in a way of their own (an event loop: TlsStream; poll(2): Pump).
// Nothing here waits: a step that cannot be done says what to wait for, and is tried again then. One thread.
class TlsEngine {
 public:
  enum class Step { kDone, kNeedsInput, kNeedsOutput, kPeerFinished, kFailed };

  //   fd           a connected stream socket, borrowed for the engine's life
  //   first_bytes  were read from it already: the handshake takes them before it reads on
  TlsEngine(int fd, TlsContext context, TlsSide side, std::string first_bytes = {});
  TlsEngine(TlsEngine&&) noexcept;
  TlsEngine& operator=(TlsEngine&&) noexcept;
  ~TlsEngine();

  Step handshake();
  // All that is here and fits. kDone: at least one byte; kPeerFinished: it sends no more.
  //   got  set with kDone
  Step read(boost::asio::mutable_buffer into, size_t& got);
  // One record of it, at most kTlsRecordBytes. A step that waits must be tried again with the same bytes.
  //   written  set with kDone
  Step write(boost::asio::const_buffer bytes, size_t& written);
  // Tells the peer that no more will come (close_notify). kDone: it is sent.
  Step finish();

  // Whether a read finds something without the descriptor's being readable.
  bool has_pending() const;
  // Whether the descriptor held no more when it was read last: poll(2) has to say so before there is anything again.
  bool is_drained() const;

  // After kFailed: why. kUnauthenticated when either side's certificate was refused, kClosed when the peer hung up.
  Failure failed(std::string_view what);
  // The same of a write: a peer that hung up may have said why before.
  Failure write_failed();
  // Names the other side in such sentences: "the proxy refused our certificate: …". "the other side" unless set.
  void name_other_side(std::string name) { other_side_ = std::move(name); }

  SSL* native_handle() const { return ssl_.get(); }

 private:
  struct Wire;

  Step step_after(int result) const;

  TlsContext context_;  // outlives ssl_
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<SSL, FreeWith<SSL_free>> ssl_;
  bool has_end_pending_ = false;
  std::string other_side_ = "the other side";
};

}  // namespace cairn::tunnel
