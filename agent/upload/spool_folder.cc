#include "agent/upload/spool_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "recorder/chunk.h"
#include "recorder/recording_writer.h"
#include "recorder/tail_file.h"

namespace cairn::agent {
namespace {

// A tail, or one that was being made, of a recording that is not there any more: a crash left it.
bool is_left_over(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const size_t at = name.find(".tail");
  if (at == std::string::npos || !is_uuid(name.substr(0, at))) return false;
  const std::filesystem::path recording = recording_path(file.parent_path(), name.substr(0, at));
  std::error_code error;
  const bool is_needed = std::filesystem::exists(recording, error) || error ||
                         std::filesystem::exists(recording.string() + ".corrupt", error) || error;
  return !is_needed;
}

}  // namespace

std::filesystem::path recording_path(const std::filesystem::path& folder, const std::string& session_id) {
  return folder / (session_id + ".rec");
}

Result<std::vector<SpooledRecording>> list_spool(const std::filesystem::path& folder) {
  std::vector<SpooledRecording> recordings;
  std::error_code error;
  std::filesystem::directory_iterator files(folder, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::filesystem::path& path = files->path();
    if (is_left_over(path)) ::unlink(path.c_str());
    if (path.extension() != ".rec" || !is_uuid(path.stem().string())) continue;
    const Result<bool> is_live = recorder::is_locked(path);
    if (!is_live && is_live.error().code == Errc::kNotFound) continue;
    if (!is_live) return fail(is_live);
    std::error_code gone;
    const uint64_t bytes = std::filesystem::file_size(path, gone);
    if (gone) continue;
    recordings.push_back({.id = path.stem().string(), .bytes = bytes, .is_live = *is_live});
  }
  if (error) return fail(error, fmt::format("list {}: {}", folder.string(), error.message()));
  return recordings;
}

int64_t begun_wall_ns(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string bytes(recorder::kChunkHeaderBytes, '\0');
  const ssize_t got = file ? ::pread(file.get(), bytes.data(), bytes.size(), 0) : -1;
  if (got != static_cast<ssize_t>(bytes.size())) return 1;
  const Result<recorder::ChunkHeader> header = recorder::parse_chunk_header(bytes);
  return header ? std::max<int64_t>(header->anchor.wall_ns, 1) : 1;
}

Result<void> delete_recording(const std::filesystem::path& path) {
  // The tail last: without its recording it is what a crash here may leave, and says nothing any more.
  const std::filesystem::path tail = recorder::TailFile::path_for(path);
  for (const std::filesystem::path& each : {path, tail}) {
    if (::unlink(each.c_str()) != 0 && errno != ENOENT) return fail_errno(fmt::format("delete {}", each.string()));
  }
  return sync_directory(path.parent_path());
}

Result<void> set_aside_corrupt(const std::filesystem::path& path) {
  const std::string aside = path.string() + ".corrupt";
  if (::rename(path.c_str(), aside.c_str()) != 0) return fail_errno(fmt::format("rename {}", path.string()));
  return sync_directory(path.parent_path());
}

Result<void> probe_spool(const std::filesystem::path& folder) {
  const UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return fail_errno(fmt::format("this node cannot record: no file can be made in {}", folder.string()));
  return {};
}

}  // namespace cairn::agent
