#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/store/sql_pool.h"
#include "auth/store/store.h"

namespace cairn::auth {

// The store in SQL. The statements are those that SQLite and PostgreSQL have in common.
class SqlStore final : public Store {
 public:
  explicit SqlStore(std::unique_ptr<SqlPool> sql) : sql_(std::move(sql)) {}

  Result<void> put_user(const UserRecord& user, const Events& events) override;
  Result<UserRecord> find_user(const std::string& name) override;
  Result<std::vector<v1::User>> list_users() override;
  Result<void> set_password(const std::string& name, const std::string& hash, const Events& events) override;
  Result<void> delete_user(const std::string& name, const Events& events) override;
  Result<void> put_role(const v1::Role& role, const Events& events) override;
  Result<std::vector<v1::Role>> list_roles() override;
  Result<std::vector<v1::Role>> roles_of(const std::string& user) override;
  Result<void> delete_role(const std::string& name, const Events& events) override;

  Result<void> add_token(const v1::Token& token, const std::string& secret_sha256, int64_t now_wall_s,
                         const Events& events) override;
  Result<v1::Token> find_token(const std::string& secret_sha256) override;
  Result<std::vector<v1::Token>> list_tokens(int64_t now_wall_s) override;
  Result<void> delete_token(const std::string& name, const Events& events) override;

  Result<HostRecord> join(const JoinRecord& host, const Events& events) override;
  Result<HostRecord> find_host(const std::string& id) override;
  Result<std::vector<HostRecord>> hosts_called(const std::string& id_or_name) override;
  Result<std::vector<HostRecord>> list_hosts(HostType type) override;
  Result<HostType> type_of_host(const std::string& id) override;
  Result<void> heartbeat(const std::string& id, const v1::HeartbeatRequest& beat, int64_t now_wall_s) override;
  Result<void> set_seen(const std::vector<std::string>& ids, int64_t now_wall_s) override;
  Result<void> delete_host(const std::string& id, int64_t now_wall_s, const Events& events) override;

  Result<void> add_session(const SessionRecord& session, const Events& events) override;
  Result<SessionRecord> find_session(const std::string& id) override;
  Result<std::vector<std::string>> session_ids(const std::string& prefix, uint32_t limit) override;
  Result<Page<v1::Session>> list_sessions(const SessionQuery& query) override;
  Result<uint64_t> count_live_sessions(int64_t begun_after_wall_ns) override;
  Result<void> begin_session(const std::string& id, int64_t start_wall_s, const std::string& command) override;
  Result<void> end_session(const std::string& id, const SessionEnd& end, const Events& events) override;
  Result<std::vector<std::string>> incomplete_sessions() override;
  Result<std::vector<SessionRecord>> sessions_after(const std::string& after, uint32_t limit) override;

  Result<void> hold_recording(const std::string& id, const v1::Hold& hold, const Events& events) override;
  Result<void> release_recording(const std::string& id, const Events& events) override;
  Result<void> delete_recording(const Tombstone& tombstone, const Events& events) override;
  Result<std::vector<std::string>> deleted_recordings() override;
  Result<void> set_keys_for(const std::string& id, const std::string& recipients) override;
  Result<std::vector<std::string>> unarchived_recordings(int64_t ended_by_wall_s, uint32_t limit) override;
  Result<void> set_archived(const std::string& id, uint64_t bytes, const Events& events) override;
  Result<void> put_retention_rule(const v1::RetentionRule& rule, const Events& events) override;
  Result<std::vector<v1::RetentionRule>> list_retention_rules() override;
  Result<void> delete_retention_rule(const std::string& name, const Events& events) override;
  Result<void> set_promises(const std::map<std::string, KeepPromise>& by_session) override;
  Result<std::vector<SessionRecord>> expired_recordings(int64_t now_wall_s, uint32_t limit) override;

  Result<void> append_audit(const Events& events) override;
  Result<Page<AuditEvent>> search_audit(const AuditQuery& query) override;
  Result<AuditHead> audit_head(uint64_t size) override;
  Result<std::vector<std::string>> audit_leaves(uint64_t from, uint64_t count) override;
  Result<std::vector<std::string>> audit_path(uint64_t leaf, uint64_t size) override;

  // Gives events of before there was a tree their leaves.
  Result<void> complete_audit_tree();

 private:
  std::unique_ptr<SqlPool> sql_;
};

}  // namespace cairn::auth
