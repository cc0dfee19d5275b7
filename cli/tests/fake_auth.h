#pragma once

#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "proto/auth.pb.h"

namespace cairn::cli::testing_support {

// Auth on a unix socket as the cli sees it: frames in, frames out, the answers made by the test.
class FakeAuth {
 public:
  using Answer = std::function<auth::v1::Response(const auth::v1::Request&)>;
  // `answer` runs on a thread of its own, one request at a time.
  FakeAuth(const std::filesystem::path& socket, Answer answer);
  FakeAuth(const FakeAuth&) = delete;
  FakeAuth& operator=(const FakeAuth&) = delete;
  ~FakeAuth();

  // Serves no more, and returns what was asked.
  std::vector<auth::v1::Request> finish();

 private:
  void serve();
  void serve_one(int connection);

  Answer answer_;
  UniqueFd listener_;
  std::vector<auth::v1::Request> requests_;
  std::thread thread_;
};

}  // namespace cairn::cli::testing_support
