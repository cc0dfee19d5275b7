// open_by_handle_at(2): no path at all.
#include "tests/evasion/rows/row.h"

using namespace row;

int main(int argc, char** argv) {
  return run(argc, argv, [] {
    const std::string path = make_file("by-handle");
    alignas(file_handle) char bytes[sizeof(file_handle) + MAX_HANDLE_SZ]{};
    auto* handle = reinterpret_cast<file_handle*>(bytes);
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    if (::name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount_id, 0) != 0)
      skip("the file system knows no handles");
    const int folder = must(::open(scratch.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open the folder");
    const int fd = ::open_by_handle_at(folder, handle, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EPERM) skip("open_by_handle_at is not permitted here");
    must(fd, "open_by_handle_at");
    truth({{"kind", "open"}, {"path", path}, {"ino", ino_of(fd)}, {"result", std::to_string(fd)}});
  });
}
