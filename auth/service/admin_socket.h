#pragma once

#include <filesystem>
#include <memory>
#include <utility>

#include <boost/asio/local/stream_protocol.hpp>

#include "base/async.h"
#include "base/result.h"
#include "tunnel/stream.h"

namespace cairn::auth {

// DATA_DIR/auth.sock (0600): administration by root on the auth host, without a certificate. Who connects is known from
// the kernel (SO_PEERCRED, unix(7)): uid 0, or the user that auth runs as.
class AdminSocket {
 public:
  // A socket that an earlier run has left is replaced.
  //   fails  an errno; kTooLarge: the path is beyond what a socket's address holds
  static Result<AdminSocket> open(const asio::any_io_executor& executor, const std::filesystem::path& path);
  AdminSocket(AdminSocket&&) = default;
  AdminSocket& operator=(AdminSocket&&) = default;
  ~AdminSocket() { close(); }

  // The next connection of somebody who may; others are closed at once. Fails only when the socket is closed.
  awaitable<Result<std::unique_ptr<tunnel::Connection>>> accept();
  // Stops, and removes the file.
  void close();

 private:
  AdminSocket(asio::local::stream_protocol::acceptor acceptor, std::filesystem::path path)
      : acceptor_(std::move(acceptor)), path_(std::move(path)) {}

  asio::local::stream_protocol::acceptor acceptor_;
  std::filesystem::path path_;
};

}  // namespace cairn::auth
