#include "cli/tests/fake_auth.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/bytes.h"
#include "base/file.h"

namespace cairn::cli::testing_support {
namespace {

bool read_exactly(int fd, void* into, size_t count) {
  return ::recv(fd, into, count, MSG_WAITALL) == static_cast<ssize_t>(count);
}

}  // namespace

FakeAuth::FakeAuth(const std::filesystem::path& socket, Answer answer)
    : answer_(std::move(answer)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 8) != 0) {
    std::perror("fake auth");
    std::abort();
  }
  thread_ = std::thread([this] { serve(); });
}

FakeAuth::~FakeAuth() { finish(); }

std::vector<auth::v1::Request> FakeAuth::finish() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept(2)
  if (thread_.joinable()) thread_.join();
  return std::move(requests_);
}

void FakeAuth::serve() {
  for (;;) {
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    serve_one(connection.get());
  }
}

void FakeAuth::serve_one(int connection) {
  std::array<unsigned char, 4> prefix{};
  while (read_exactly(connection, prefix.data(), prefix.size())) {
    std::string body(read_be32(prefix.data()), '\0');
    if (!read_exactly(connection, body.data(), body.size())) return;
    auth::v1::Request request;
    request.ParseFromString(body);
    requests_.push_back(request);
    const std::string answer = answer_(request).SerializeAsString();
    write_be32(prefix.data(), static_cast<uint32_t>(answer.size()));
    if (!write_all(connection, std::string(reinterpret_cast<char*>(prefix.data()), prefix.size()) + answer)) return;
  }
}

}  // namespace cairn::cli::testing_support
