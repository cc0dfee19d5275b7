#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cairn::cli::testing_support {

struct Ran {
  int exit_code = -1;  // 128 + signal when it was killed
  std::string out;
  std::string err;
};

// Runs a program to its end, with `input` on standard input. Aborts after 60 s: a test that hangs has failed.
//   environment  "NAME=VALUE"; added to our own, of which CAIRN_* is left out
Ran run_program(const std::vector<std::string>& words, const std::vector<std::string>& environment = {},
                const std::string& input = "");

// A fresh folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace cairn::cli::testing_support
