#include "auth/service/data_directory.h"

#include <system_error>

#include <fmt/format.h>

#include "base/file.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxClusterFileBytes = 256;

Result<void> check_cluster(const std::filesystem::path& path, const std::string& cluster) {
  const std::filesystem::path file = path / "cluster";
  Result<std::string> stored = read_file(file, kMaxClusterFileBytes);
  if (!stored && stored.error().code == std::errc::no_such_file_or_directory)
    return write_file_atomically(file, cluster + '\n', 0600);
  if (!stored) return fail(stored);
  while (stored->ends_with('\n')) stored->pop_back();
  if (*stored == cluster) return {};
  return fail(Errc::kInvalid, fmt::format("{} belongs to cluster \"{}\", and the configuration says \"{}\"; set "
                                          "cluster to \"{}\", or choose another --data-dir",
                                          path.string(), *stored, cluster, *stored));
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::filesystem::path& path, const std::string& cluster) {
  if (Result<void> made = make_private_directory(path); !made) return fail(made);
  Result<DataLock> lock = DataLock::take(path, "cairn-auth");
  if (!lock) return fail(lock);
  if (Result<void> right = check_cluster(path, cluster); !right) return fail(right);
  return DataDirectory(std::move(*lock));
}

}  // namespace cairn::auth
