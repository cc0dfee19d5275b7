#pragma once

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <string>

namespace cairn::agent {

// A folder that goes away with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string made = (std::filesystem::temp_directory_path() / "cairn-agent.XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    path_ = made;
  }
  // Whoever still lives in it may add and remove files meanwhile.
  ~TemporaryFolder() {
    std::error_code failed;
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::filesystem::remove_all(path_, failed);
      if (!failed) return;
    }
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace cairn::agent
