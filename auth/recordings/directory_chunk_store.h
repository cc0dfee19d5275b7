#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "auth/recordings/chunk_store.h"
#include "recorder/spool_file.h"
#include "recorder/tail_file.h"

namespace cairn::auth {

// Recordings as files UUID.rec in one folder (0700, files 0600), each what the node's spool file was; beside a live one
// UUID.tail with its open chunk, beside one that was given to later recipients UUID.keys, beside a complete one
// UUID.proof; all that belongs to a session is named so. The file is the truth: how much is stored is read from it, and
// a torn end, which a crash may leave, is cut when it is first opened.
class DirectoryChunkStore final : public ChunkStore {
 public:
  // Makes the folder when it is missing.
  static Result<std::unique_ptr<DirectoryChunkStore>> open(std::filesystem::path folder);

  Result<RecordingState> state(const std::string& session_id) override;
  Result<RecordingState> append(const std::string& session_id, const recorder::ChunkHeader& header,
                                std::string_view chunk) override;
  Result<uint64_t> append_tail(const std::string& session_id, const StoredTail& part) override;
  Result<StoredTail> tail(const std::string& session_id) override;
  Result<void> put_proof(const std::string& session_id, std::string_view proof) override;
  Result<std::string> proof(const std::string& session_id) override;
  Result<void> put_keys(const std::string& session_id, std::string_view keys) override;
  Result<std::string> keys(const std::string& session_id) override;
  Result<std::string> read(const std::string& session_id, uint64_t offset, size_t limit_bytes) override;
  Result<UniqueFd> open_for_reading(const std::string& session_id) override;
  Result<UniqueFd> make_replacement(const std::string& session_id) override;
  Result<RecordingState> replace(const std::string& session_id, UniqueFd file) override;
  Result<std::string> read_replaced(const std::string& session_id, uint64_t offset, size_t limit_bytes) override;
  Result<uint64_t> replaced_bytes(const std::string& session_id) override;
  void forget_replaced(std::chrono::seconds age) override;
  Result<std::vector<std::string>> session_ids() override;
  // Whatever is called UUID.SOMETHING in the folder belongs to the session and goes with it.
  Result<void> remove(const std::set<std::string>& session_ids) override;

 private:
  // What is known of one recording. shared_ptr: the table forgets entries while a thread may still work with one.
  struct Entry {
    std::mutex mutex;
    bool is_loaded = false;
    std::optional<recorder::SpoolFile> file;  // open for appending; closed when complete
    RecordingState state;
    std::optional<recorder::TailFile> tail_file;  // from the first tail of this run on
    StoredTail tail;                              // of a live recording
  };

  // A file that has no name any more.
  struct Replaced {
    std::string session_id;
    UniqueFd file;
    uint64_t bytes = 0;
    std::chrono::steady_clock::time_point when;
  };
  Result<void> put_in_place(const std::string& session_id, int file);
  void keep_replaced(Replaced replaced);

  explicit DirectoryChunkStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path path_of(const std::string& session_id) const { return folder_ / (session_id + ".rec"); }
  std::shared_ptr<Entry> entry_of(const std::string& session_id);
  void forget_idle();
  static Failure forget(Entry& entry, const Error& why);
  Result<std::vector<std::filesystem::path>> files() const;  // that belong to sessions
  Result<void> load(const std::string& session_id, Entry& entry);
  void load_tail(const std::string& session_id, Entry& entry) const;
  std::filesystem::path proof_path(const std::string& session_id) const { return folder_ / (session_id + ".proof"); }
  std::filesystem::path keys_path(const std::string& session_id) const { return folder_ / (session_id + ".keys"); }
  Result<void> append_first(const std::string& session_id, Entry& entry, std::string_view chunk);

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
  std::deque<Replaced> replaced_;  // oldest first
};

}  // namespace cairn::auth
