#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/audit.pb.h"
#include "proto/auth.pb.h"

namespace cairn::auth {

// What the store keeps, as values. Where the wire has a message of the same content, that message is the record.

using audit::v1::AuditEvent;
using Events = std::vector<AuditEvent>;
using Labels = std::map<std::string, std::string>;

struct UserRecord {
  v1::User user = {};
  std::string password_hash = {};  // crypt(5); empty: no password yet, nobody can log in
};

enum class HostType { kNode = 1, kProxy = 2 };

// A host that has joined.
struct HostRecord {
  HostType type = HostType::kNode;
  v1::Node node = {};  // labels are merged, the token's win; `online` is not kept
  int64_t joined_wall_s = 0;
};

// A host that wants to join.
struct JoinRecord {
  HostType type = HostType::kNode;
  std::string id = {};  // a fresh UUID
  std::string name = {};
  Labels labels = {};  // the host's own
  std::string ssh_host_key = {};
  std::string version = {};
  std::string key_sha256 = {};  // of its TLS public key: the same key asking again with the same token is the same host
  std::string secret_sha256 = {};  // of the token's secret
  int64_t now_wall_s = 0;
};

// As good as never to end, and a sum with any time is a number still.
constexpr int64_t kKeepForeverS = int64_t{1000} * 365 * 86'400;

// How long a recording is kept after its session's end.
struct KeepPromise {
  int64_t keep_s = 0;     // at least; 0: nothing is promised
  std::string rule = {};  // that deletes it then; empty: nobody does
  bool operator==(const KeepPromise&) const = default;
};

struct SessionRecord {
  v1::Session session = {};
  int64_t authorized_wall_ns = 0;  // sessions are listed in this order
  // As they were when it began, for retention rules. None: not on record (it is older than these columns, or was
  // brought back from its file alone).
  std::optional<Labels> node_labels = {};
  std::optional<std::vector<std::string>> user_roles = {};
  KeepPromise promise = {};
  std::string keys_for = {};            // recipients of its secret, "age1…,age1…"; empty: not known
  std::string certificate_serial = {};  // hexadecimal; known here once its recording has been deleted
};

// "was deleted 2026-11-21T14:00:00Z by user alice (REASON)", of a session that has a deletion.
std::string deletion_text(const v1::Session& session);

// What is to be left of a recording.
struct Tombstone {
  std::string session_id = {};
  v1::Deletion deletion = {};
  uint64_t bytes = 0;
  uint64_t chunks = 0;
  std::string certificate_serial = {};
  bool is_early = false;  // though a longer time was promised
};

struct SessionQuery {
  v1::ListSessionsRequest::State state = v1::ListSessionsRequest::STATE_UNSPECIFIED;
  std::string user = {};                   // empty: all
  std::vector<std::string> node_ids = {};  // empty: all
  int64_t begun_after_wall_ns = 0;         // sessions authorized earlier are listed only if their recording has begun
  int64_t since_wall_ns = 0;               // sessions that were authorized since then
  uint32_t limit = 50;                     // at least 1
  std::string page_token = {};
};

// What a recording has told about its session.
struct SessionEnd {
  int64_t end_wall_s = 0;
  std::string reason = {};
  uint64_t bytes = 0;
  uint64_t chunks = 0;
};

struct AuditQuery {
  int64_t since_wall_ns = 0;
  int64_t until_wall_ns = INT64_MAX;    // exclusive
  std::vector<std::string> kinds = {};  // exact, or with a trailing "." every kind that begins so; empty: all
  std::string user = {};
  std::vector<std::string> node_ids = {};
  std::string session_id = {};
  uint32_t limit = 100;  // at least 1
  std::string page_token = {};
  bool is_ascending = false;
};

template <class T> struct Page {
  std::vector<T> rows;
  std::string next_page_token;  // empty: no more
};

// The audit log's tree at some size.
struct AuditHead {
  uint64_t size = 0;
  std::string root;  // 32 bytes
};

}  // namespace cairn::auth
