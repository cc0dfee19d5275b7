#include "auth/recordings/directory_chunk_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <tuple>

#include <fmt/format.h>

#include "auth/recordings/recording_walk.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "recorder/recipients.h"
#include "recorder/tail_record.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxEntries = 4096;
constexpr mode_t kPrivate = 0600;
constexpr size_t kMaxTailBytes = size_t{16} << 20;
// Descriptors, and room on the disk that nobody sees.
constexpr size_t kMaxReplaced = 64;

Failure disk_refuses(const Error& error) {
  return fail(Errc::kUnavailable, fmt::format("auth cannot store the recording: {}", error.message));
}

// The session that a file of the folder belongs to; empty: none.
std::string session_of(const std::filesystem::path& path) {
  constexpr size_t kUuidChars = 36;
  const std::string name = path.filename().string();
  if (name.size() <= kUuidChars || name[kUuidChars] != '.') return "";
  std::string id = name.substr(0, kUuidChars);
  return is_uuid(id) ? id : "";
}

}  // namespace

Result<std::unique_ptr<DirectoryChunkStore>> DirectoryChunkStore::open(std::filesystem::path folder) {
  if (Result<void> made = make_private_directory(folder); !made) return fail(made);
  return std::unique_ptr<DirectoryChunkStore>(new DirectoryChunkStore(std::move(folder)));
}

std::shared_ptr<DirectoryChunkStore::Entry> DirectoryChunkStore::entry_of(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMaxEntries) forget_idle();
  std::shared_ptr<Entry>& entry = entries_[session_id];
  if (!entry) entry = std::make_shared<Entry>();
  return entry;
}

// What nobody works with is read again from its file when it is needed.
void DirectoryChunkStore::forget_idle() {
  std::erase_if(entries_, [](const auto& item) { return item.second.use_count() == 1; });
}

// Nobody knows what a failed write or sync has left: the next one who asks reads it from the disk.
Failure DirectoryChunkStore::forget(Entry& entry, const Error& why) {
  if (entry.file) std::ignore = entry.file->cut(entry.state.bytes);
  entry.file.reset();
  entry.is_loaded = false;
  return disk_refuses(why);
}

Result<void> DirectoryChunkStore::load(const std::string& session_id, Entry& entry) {
  if (entry.is_loaded) return {};
  Result<recorder::SpoolFile> file = recorder::SpoolFile::open_abandoned(path_of(session_id));
  if (!file && file.error().code == Errc::kNotFound) {
    entry.state = {};
    entry.is_loaded = true;
    return {};
  }
  if (!file) return fail(file);
  // A chunk that this says is stored is one that its node may delete.
  if (Result<void> settled = file->settle(); !settled) return disk_refuses(settled.error());
  const Result<RecordingState> state = walk_recording(*file, session_id);
  if (!state) return fail(state);
  if (file->bytes() > state->bytes) {
    if (Result<void> cut = file->cut(state->bytes); !cut) return disk_refuses(cut.error());
  }
  entry.state = *state;
  if (!state->is_complete) entry.file.emplace(std::move(*file));
  load_tail(session_id, entry);
  entry.is_loaded = true;
  return {};
}

// A tail that cannot be read is no loss: the node sends it again.
void DirectoryChunkStore::load_tail(const std::string& session_id, Entry& entry) const {
  const Result<std::string> bytes = read_file(recorder::TailFile::path_for(path_of(session_id)), kMaxTailBytes);
  if (!bytes) return;
  recorder::TailContents contents = recorder::read_tail(*bytes, entry.state.chunks);
  entry.tail = {.chunk = entry.state.chunks,
                .start = std::move(contents.start),
                .pieces = std::move(contents.pieces),
                .checkpoint = std::move(contents.checkpoint)};
}

Result<uint64_t> DirectoryChunkStore::append_tail(const std::string& session_id, const StoredTail& part) {
  const std::shared_ptr<Entry> entry = entry_of(session_id);
  const std::lock_guard lock(entry->mutex);
  if (Result<void> loaded = load(session_id, *entry); !loaded) return fail(loaded);
  if (part.chunk != entry->state.chunks)
    return fail(Errc::kInvalid, fmt::format("pieces of chunk {} where {} is next", part.chunk, entry->state.chunks));
  StoredTail next;
  if (entry->tail.chunk == part.chunk) next = entry->tail;
  next.chunk = part.chunk;
  if (next.start.empty()) next.start = part.start;
  next.pieces += part.pieces;
  next.checkpoint = part.checkpoint.empty() ? entry->tail.checkpoint : part.checkpoint;
  const std::string checkpoint = next.checkpoint.empty()
                                     ? ""
                                     : recorder::encode_tail_record({.type = recorder::TailRecordType::kCheckpoint,
                                                                     .chunk = part.chunk,
                                                                     .meta = {},
                                                                     .body = next.checkpoint});
  auto& file = entry->tail_file;
  Result<void> stored;
  if (file && entry->tail.chunk == part.chunk && !entry->tail.start.empty()) {
    stored = file->append(part.pieces + checkpoint);
    if (stored) stored = file->sync();
  } else {
    if (!file) file.emplace(path_of(session_id));
    const std::string start =
        next.start.empty()
            ? ""
            : recorder::encode_tail_record(
                  {.type = recorder::TailRecordType::kStart, .chunk = part.chunk, .meta = {}, .body = next.start});
    stored = file->replace(start + next.pieces + checkpoint);
  }
  if (!stored) {
    file.reset();  // what it holds now is not known: the next one replaces it
    return disk_refuses(stored.error());
  }
  entry->tail = std::move(next);
  return entry->tail.pieces.size();
}

Result<StoredTail> DirectoryChunkStore::tail(const std::string& session_id) {
  const std::shared_ptr<Entry> entry = entry_of(session_id);
  const std::lock_guard lock(entry->mutex);
  if (Result<void> loaded = load(session_id, *entry); !loaded) return fail(loaded);
  StoredTail tail = entry->tail;
  if (tail.chunk == entry->state.chunks) return tail;
  return StoredTail{.chunk = entry->state.chunks, .start = {}, .pieces = {}, .checkpoint = std::move(tail.checkpoint)};
}

Result<void> DirectoryChunkStore::put_proof(const std::string& session_id, std::string_view proof) {
  const Result<void> written = write_file_atomically(proof_path(session_id), proof, kPrivate);
  if (!written) return disk_refuses(written.error());
  // The tail has served: its checkpoint is in the proof.
  const std::shared_ptr<Entry> entry = entry_of(session_id);
  const std::lock_guard lock(entry->mutex);
  entry->tail_file.reset();
  entry->tail = {};
  ::unlink(recorder::TailFile::path_for(path_of(session_id)).c_str());
  return {};
}

Result<std::string> DirectoryChunkStore::proof(const std::string& session_id) {
  Result<std::string> proof = read_file(proof_path(session_id), recorder::kMaxChunkBytes);
  if (!proof && proof.error().code == std::errc::no_such_file_or_directory) return std::string();
  return proof;
}

Result<RecordingState> DirectoryChunkStore::state(const std::string& session_id) {
  const std::shared_ptr<Entry> entry = entry_of(session_id);
  const std::lock_guard lock(entry->mutex);
  if (Result<void> loaded = load(session_id, *entry); !loaded) return fail(loaded);
  return entry->state;
}

Result<void> DirectoryChunkStore::append_first(const std::string& session_id, Entry& entry, std::string_view chunk) {
  Result<recorder::SpoolFile> file = recorder::SpoolFile::create_nameless(path_of(session_id));
  if (!file) return disk_refuses(file.error());
  if (Result<void> appended = file->append(chunk, UINT64_MAX); !appended) return disk_refuses(appended.error());
  if (Result<void> synced = file->sync(); !synced) return disk_refuses(synced.error());
  // It may have its name nevertheless, on a disk that does not take it back.
  if (Result<void> published = file->publish(); !published) return forget(entry, published.error());
  entry.file.emplace(std::move(*file));
  return {};
}

Result<RecordingState> DirectoryChunkStore::append(const std::string& session_id, const recorder::ChunkHeader& header,
                                                   std::string_view chunk) {
  const std::shared_ptr<Entry> entry = entry_of(session_id);
  const std::lock_guard lock(entry->mutex);
  if (Result<void> loaded = load(session_id, *entry); !loaded) return fail(loaded);
  if (entry->state.is_complete)
    return fail(Errc::kInvalid, fmt::format("the recording is complete with {} chunks", entry->state.chunks));
  if (header.number != entry->state.chunks)
    return fail(Errc::kInvalid, fmt::format("chunk {} where {} is next", header.number, entry->state.chunks));
  auto& file = entry->file;
  if (!file) {
    if (Result<void> stored = append_first(session_id, *entry, chunk); !stored) return fail(stored);
  } else {
    if (Result<void> stored = file->append(chunk, UINT64_MAX); !stored) return forget(*entry, stored.error());
    if (Result<void> synced = file->sync(); !synced) return forget(*entry, synced.error());
  }
  entry->state.chunks += 1;
  entry->state.bytes += chunk.size();
  entry->state.is_complete = header.is_final();
  if (header.is_final()) entry->file.reset();
  return entry->state;
}

Result<void> DirectoryChunkStore::put_keys(const std::string& session_id, std::string_view keys) {
  const Result<void> written = write_file_atomically(keys_path(session_id), keys, kPrivate);
  return written ? written : disk_refuses(written.error());
}

Result<std::string> DirectoryChunkStore::keys(const std::string& session_id) {
  Result<std::string> keys = read_file(keys_path(session_id), recorder::kMaxSealedBytes);
  if (!keys && keys.error().code == std::errc::no_such_file_or_directory) return std::string();
  return keys;
}

Result<std::string> DirectoryChunkStore::read(const std::string& session_id, uint64_t offset, size_t limit_bytes) {
  const Result<RecordingState> stored = state(session_id);
  if (!stored) return fail(stored);
  if (offset >= stored->bytes) return std::string();
  const UniqueFd file(::open(path_of(session_id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return fail_errno(fmt::format("open {}", path_of(session_id).string()));
  // Fewer where somebody has cut the file under us: the reader sees a recording that ends early.
  Result<std::string> bytes = read_at(file.get(), offset, std::min<uint64_t>(limit_bytes, stored->bytes - offset));
  return bytes ? std::move(bytes) : Result<std::string>(fail(bytes, path_of(session_id).string()));
}

Result<UniqueFd> DirectoryChunkStore::open_for_reading(const std::string& session_id) {
  UniqueFd file(::open(path_of(session_id).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return fail(Errc::kNotFound, "nothing of the recording is here yet");
  if (!file) return fail_errno(fmt::format("open {}", path_of(session_id).string()));
  return file;
}

Result<UniqueFd> DirectoryChunkStore::make_replacement(const std::string&) {
  UniqueFd file(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kPrivate));
  if (!file) return disk_refuses(fail_errno(fmt::format("make a file in {}", folder_.string())).value());
  return file;
}

// A file without a name cannot take another's place at once: it gets a name beside it first, which a crash may leave
// behind until the next attempt.
Result<void> DirectoryChunkStore::put_in_place(const std::string& session_id, int file) {
  if (::fsync(file) != 0) return fail_errno("sync the recompressed recording");
  const std::filesystem::path path = path_of(session_id);
  const std::filesystem::path beside = folder_ / (session_id + ".new");
  if (::unlink(beside.c_str()) != 0 && errno != ENOENT) return fail_errno(fmt::format("delete {}", beside.string()));
  const std::string self = fmt::format("/proc/self/fd/{}", file);
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, beside.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return fail_errno(fmt::format("create {}", beside.string()));
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail_errno(fmt::format("rename {}", beside.string()));
  return sync_directory(folder_);
}

Result<RecordingState> DirectoryChunkStore::replace(const std::string& session_id, UniqueFd file) {
  const std::shared_ptr<Entry> entry = entry_of(session_id);
  const std::lock_guard lock(entry->mutex);
  if (Result<void> loaded = load(session_id, *entry); !loaded) return fail(loaded);
  if (!entry->state.is_complete || entry->state.is_archived)
    return fail(Errc::kInvalid, "only a complete recording that is as its node wrote it can be recompressed");
  Result<UniqueFd> old = open_for_reading(session_id);
  if (!old) return fail(old);
  const Result<void> placed = put_in_place(session_id, file.get());
  entry->is_loaded = false;  // whatever the disk has now
  if (!placed) return disk_refuses(placed.error());
  keep_replaced({.session_id = session_id,
                 .file = std::move(*old),
                 .bytes = entry->state.bytes,
                 .when = std::chrono::steady_clock::now()});
  if (Result<void> loaded = load(session_id, *entry); !loaded) return fail(loaded);
  return entry->state;
}

void DirectoryChunkStore::keep_replaced(Replaced replaced) {
  const std::lock_guard lock(mutex_);
  replaced_.push_back(std::move(replaced));
  if (replaced_.size() > kMaxReplaced) replaced_.pop_front();
}

Result<std::string> DirectoryChunkStore::read_replaced(const std::string& session_id, uint64_t offset,
                                                       size_t limit_bytes) {
  UniqueFd file;
  uint64_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(replaced_, session_id, &Replaced::session_id);
    if (found == replaced_.end()) return fail(Errc::kNotFound, "the recording was recompressed a while ago");
    file.reset(::fcntl(found->file.get(), F_DUPFD_CLOEXEC, 0));
    bytes = found->bytes;
  }
  if (!file) return fail_errno("descriptor");
  if (offset >= bytes) return std::string();
  return read_at(file.get(), offset, std::min<uint64_t>(limit_bytes, bytes - offset));
}

Result<uint64_t> DirectoryChunkStore::replaced_bytes(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(replaced_, session_id, &Replaced::session_id);
  if (found == replaced_.end()) return fail(Errc::kNotFound, "the recording was recompressed a while ago");
  return found->bytes;
}

void DirectoryChunkStore::forget_replaced(std::chrono::seconds age) {
  const std::lock_guard lock(mutex_);
  const auto oldest = std::chrono::steady_clock::now() - age;
  std::erase_if(replaced_, [oldest](const Replaced& each) { return each.when <= oldest; });
}

Result<std::vector<std::filesystem::path>> DirectoryChunkStore::files() const {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  std::filesystem::directory_iterator files(folder_, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    if (!session_of(files->path()).empty()) found.push_back(files->path());
  }
  if (error) return fail(error, fmt::format("list {}: {}", folder_.string(), error.message()));
  return found;
}

Result<std::vector<std::string>> DirectoryChunkStore::session_ids() {
  const Result<std::vector<std::filesystem::path>> found = files();
  if (!found) return fail(found);
  std::set<std::string> ids;
  for (const std::filesystem::path& path : *found) ids.insert(session_of(path));
  return std::vector<std::string>(ids.begin(), ids.end());
}

Result<void> DirectoryChunkStore::remove(const std::set<std::string>& session_ids) {
  // First the recordings and, when that is durable, what stands beside them: a crash leaves a proof without a
  // recording, never a recording that lacks its proof.
  for (const std::string& id : session_ids) {
    if (::unlink(path_of(id).c_str()) != 0 && errno != ENOENT)
      return fail_errno(fmt::format("delete {}", path_of(id).string()));
  }
  if (Result<void> synced = sync_directory(folder_); !synced) return synced;
  const Result<std::vector<std::filesystem::path>> found = files();
  if (!found) return fail(found);
  for (const std::filesystem::path& path : *found) {
    if (!session_ids.contains(session_of(path))) continue;
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return fail(error, fmt::format("delete {}: {}", path.string(), error.message()));
  }
  const std::lock_guard lock(mutex_);
  for (const std::string& id : session_ids) entries_.erase(id);
  std::erase_if(replaced_, [&](const Replaced& each) { return session_ids.contains(each.session_id); });
  return sync_directory(folder_);
}

}  // namespace cairn::auth
