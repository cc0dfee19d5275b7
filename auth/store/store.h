#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "auth/store/records.h"
#include "base/result.h"

namespace cairn::auth {

// Everything relational that the cluster knows; recordings themselves lie in the ChunkStore. Every backend passes
// tests/store_conformance.cc.
//
// Each function is one transaction, durable when it returns (the heartbeat excepted). A function that changes something
// takes the audit events that tell of it: both are stored or neither, so the audit log cannot miss a change.
//
// Thread-safe. Blocks on the disk: call it on a pool, never on an event loop.
// All fail with kUnavailable when the database refuses (disk full, locked for too long, I/O error).
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // ---- users and roles

  // Creates the user, or replaces the roles of the one there is, and the password unless the hash is empty.
  //   fails  kNotFound: no such role, named in the sentence
  virtual Result<void> put_user(const UserRecord& user, const Events& events) = 0;
  virtual Result<UserRecord> find_user(const std::string& name) = 0;  // fails with kNotFound
  virtual Result<std::vector<v1::User>> list_users() = 0;             // by name
  virtual Result<void> set_password(const std::string& name, const std::string& hash, const Events& events) = 0;
  virtual Result<void> delete_user(const std::string& name, const Events& events) = 0;

  virtual Result<void> put_role(const v1::Role& role, const Events& events) = 0;  // creates or replaces
  virtual Result<std::vector<v1::Role>> list_roles() = 0;                         // by name
  virtual Result<std::vector<v1::Role>> roles_of(const std::string& user) = 0;    // empty for an unknown user
  //   fails  kNotFound; kInvalid: users still have it, some are named
  virtual Result<void> delete_role(const std::string& name, const Events& events) = 0;

  // ---- join tokens

  // A token of this name that can no longer be used makes room.
  //   fails  kAlreadyExists
  virtual Result<void> add_token(const v1::Token& token, const std::string& secret_sha256, int64_t now_wall_s,
                                 const Events& events) = 0;
  // Also one that has expired or is used up. Fails with kNotFound.
  virtual Result<v1::Token> find_token(const std::string& secret_sha256) = 0;
  virtual Result<std::vector<v1::Token>> list_tokens(int64_t now_wall_s) = 0;  // those that can still be used, by name
  virtual Result<void> delete_token(const std::string& name, const Events& events) = 0;

  // ---- hosts: nodes and proxies

  // Takes one use of the token and adds the host, or returns the host that the same key has joined with the same token
  // before, without a further use: an answer may get lost on its way.
  //   fails  kNotFound: unknown token. kExpired: it has, or is used up. kInvalid: it is for the other type of host.
  //          The sentence names the token, never its secret.
  virtual Result<HostRecord> join(const JoinRecord& host, const Events& events) = 0;
  virtual Result<HostRecord> find_host(const std::string& id) = 0;  // fails with kNotFound
  // Of this UUID or this name, both types. Names need not be unique.
  virtual Result<std::vector<HostRecord>> hosts_called(const std::string& id_or_name) = 0;
  virtual Result<std::vector<HostRecord>> list_hosts(HostType type) = 0;  // by name
  // Whether there is such a host, for who asks often; fails with kNotFound.
  virtual Result<HostType> type_of_host(const std::string& id) = 0;
  // These two are not durable at once: a crash may lose those of the last moments, which are said again.
  virtual Result<void> heartbeat(const std::string& id, const v1::HeartbeatRequest& beat, int64_t now_wall_s) = 0;
  // Hosts of these UUIDs, as far as there are such, are there now.
  virtual Result<void> set_seen(const std::vector<std::string>& ids, int64_t now_wall_s) = 0;
  // Its live sessions end as "interrupted": nothing more of them can arrive.
  virtual Result<void> delete_host(const std::string& id, int64_t now_wall_s, const Events& events) = 0;

  // ---- sessions

  //   fails  kAlreadyExists: a session of this id
  virtual Result<void> add_session(const SessionRecord& session, const Events& events) = 0;
  virtual Result<SessionRecord> find_session(const std::string& id) = 0;  // fails with kNotFound
  // Ids that begin with `prefix`, at most `limit`.
  virtual Result<std::vector<std::string>> session_ids(const std::string& prefix, uint32_t limit) = 0;
  // Newest first. Fails with kInvalid on a page token that this store did not give.
  virtual Result<Page<v1::Session>> list_sessions(const SessionQuery& query) = 0;
  virtual Result<uint64_t> count_live_sessions(int64_t begun_after_wall_ns) = 0;
  // Its recording has arrived in part. An empty command leaves the one that is known.
  virtual Result<void> begin_session(const std::string& id, int64_t start_wall_s, const std::string& command) = 0;
  // Its recording is complete. Does nothing, and stores no events, when that is known already.
  virtual Result<void> end_session(const std::string& id, const SessionEnd& end, const Events& events) = 0;
  virtual Result<std::vector<std::string>> incomplete_sessions() = 0;

  // Those whose recording has not been deleted, by id, from the one behind `after` on.
  virtual Result<std::vector<SessionRecord>> sessions_after(const std::string& after, uint32_t limit) = 0;

  // ---- what becomes of recordings

  // All fail with kNotFound on an unknown session, and with kAlreadyExists when the recording has been deleted; the
  // sentence says when, by whom and why.

  //   fails  kAlreadyExists: held already; the sentence says by whom
  virtual Result<void> hold_recording(const std::string& id, const v1::Hold& hold, const Events& events) = 0;
  //   fails  kInvalid: not held
  virtual Result<void> release_recording(const std::string& id, const Events& events) = 0;
  // From then on there is a tombstone in the recording's place.
  //   fails  kDenied: a legal hold, or a promise to keep it for longer (unless it is_early). kInvalid: it is still live
  virtual Result<void> delete_recording(const Tombstone& tombstone, const Events& events) = 0;
  virtual Result<std::vector<std::string>> deleted_recordings() = 0;
  virtual Result<void> set_keys_for(const std::string& id, const std::string& recipients) = 0;
  // Complete, not held, ended by then, and not marked by set_archived(); those that ended first, first.
  virtual Result<std::vector<std::string>> unarchived_recordings(int64_t ended_by_wall_s, uint32_t limit) = 0;
  // It has been recompressed and has so many bytes now, or is to be left as it is.
  virtual Result<void> set_archived(const std::string& id, uint64_t bytes, const Events& events) = 0;

  virtual Result<void> put_retention_rule(const v1::RetentionRule& rule, const Events& events) = 0;
  virtual Result<std::vector<v1::RetentionRule>> list_retention_rules() = 0;  // by name
  virtual Result<void> delete_retention_rule(const std::string& name, const Events& events) = 0;
  virtual Result<void> set_promises(const std::map<std::string, KeepPromise>& by_session) = 0;
  // Those that a rule is to delete by now, longest overdue first: ended, not held, their promise over.
  virtual Result<std::vector<SessionRecord>> expired_recordings(int64_t now_wall_s, uint32_t limit) = 0;

  // ---- audit log

  virtual Result<void> append_audit(const Events& events) = 0;  // ids are given here
  // Fails with kInvalid on a page token that this store did not give.
  virtual Result<Page<AuditEvent>> search_audit(const AuditQuery& query) = 0;
  // The log's tree, which grows with every event, in the same transaction. Its root when it had `size` leaves, 0 for
  // now; and leaf hashes of 32 bytes from `from` on, at most `count`.
  //   fails  kNotFound: it never had so many
  virtual Result<AuditHead> audit_head(uint64_t size) = 0;
  virtual Result<std::vector<std::string>> audit_leaves(uint64_t from, uint64_t count) = 0;
  // That the event at place `leaf` (from 1) stood in it when it had `size` leaves: RFC 9162 §2.1.3, from the leaf up.
  //   fails  kNotFound: it never had so many; kInvalid: the event came later
  virtual Result<std::vector<std::string>> audit_path(uint64_t leaf, uint64_t size) = 0;
};

}  // namespace cairn::auth
