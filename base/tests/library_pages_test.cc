#include "base/library_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gmock/gmock.h>

#include "base/must.h"
#include "base/unique_fd.h"

namespace cairn {
namespace {

constexpr size_t kBytes = 64 * 1024;

// KiB of the mapping that begins at `at`.
size_t resident_kib(const char* at) {
  std::ifstream maps("/proc/self/smaps");
  const auto begin = reinterpret_cast<uintptr_t>(at);
  bool is_ours = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') == line.find_first_not_of("0123456789abcdef")) is_ours = std::stoull(line, nullptr, 16) == begin;
    if (is_ours && line.starts_with("Rss:")) return std::stoul(line.substr(4));
  }
  ADD_FAILURE() << "no such mapping";
  return 0;
}

// A file of 'x', mapped as the loader maps a library.
class LibraryPages : public testing::Test {
 protected:
  LibraryPages() {
    std::string name = testing::TempDir() + "library_pages_XXXXXX";
    const UniqueFd file(::mkstemp(name.data()));
    ::unlink(name.c_str());
    const std::string contents(kBytes, 'x');
    must(::write(file.get(), contents.data(), kBytes) == static_cast<ssize_t>(kBytes));
    void* const at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
    must(at != MAP_FAILED);
    at_ = static_cast<char*>(at);
  }
  ~LibraryPages() override { ::munmap(at_, kBytes); }

  void seal() { must(::mprotect(at_, kBytes, PROT_READ) == 0); }
  bool holds_only(char byte) const {
    return std::string_view(at_, kBytes).find_first_not_of(byte) == std::string::npos;
  }

  char* at_ = nullptr;
};

TEST_F(LibraryPages, AreGivenBackAndComeAgain) {
  seal();
  ASSERT_TRUE(holds_only('x'));
  ASSERT_EQ(resident_kib(at_), kBytes / 1024);
  forget_library_pages();
  EXPECT_EQ(resident_kib(at_), 0U);
  EXPECT_TRUE(holds_only('x'));
}

TEST_F(LibraryPages, AreKeptWhereOneOfThemWasChanged) {
  at_[kBytes / 2] = 'y';
  seal();
  forget_library_pages();
  EXPECT_EQ(at_[kBytes / 2], 'y');
}

TEST_F(LibraryPages, AreKeptWhereTheyMayBeWrittenTo) {
  ASSERT_TRUE(holds_only('x'));
  forget_library_pages();
  EXPECT_EQ(resident_kib(at_), kBytes / 1024);
}

}  // namespace
}  // namespace cairn
