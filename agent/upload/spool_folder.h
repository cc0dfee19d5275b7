#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace cairn::agent {

struct SpooledRecording {
  std::string id;  // the session's UUID
  uint64_t bytes = 0;
  bool is_live = false;  // its worker lives: it holds the lock
};

// The recordings in the folder, in no order. Files of other names are passed over, and so is what disappears meanwhile;
// tails without a recording are deleted on the way.
// Blocks on the disk; any thread.
Result<std::vector<SpooledRecording>> list_spool(const std::filesystem::path& folder);

std::filesystem::path recording_path(const std::filesystem::path& folder, const std::string& session_id);

// When its session began, on the node's wall clock, as the file says; 1 when it does not. Never 0. Blocks on the disk.
int64_t begun_wall_ns(const std::filesystem::path& path);

// Deletes a recording durably. No error when it is gone already.
Result<void> delete_recording(const std::filesystem::path& path);

// Renames UUID.rec to UUID.rec.corrupt, out of the uploader's sight and kept for people.
Result<void> set_aside_corrupt(const std::filesystem::path& path);

// Whether a worker could make a recording here now.
//   fails  with the sentence to give to who waits for a session
Result<void> probe_spool(const std::filesystem::path& folder);

}  // namespace cairn::agent
