#include "auth/store/migrations.h"

namespace cairn::auth {
namespace {

// Times end in their unit. Lists and mappings are JSON text. Sessions and audit events keep the names of what they tell
// of even after it is gone, hence no foreign keys there.
const std::vector<Migration>& all() {
  static const std::vector<Migration> list = {
      {1,
       "users, roles, tokens, hosts, sessions, audit log",
       {
           R"(CREATE TABLE users (
                name TEXT PRIMARY KEY,
                password_hash TEXT NOT NULL,
                created_wall_s BIGINT NOT NULL))",
           R"(CREATE TABLE roles (
                name TEXT PRIMARY KEY,
                logins TEXT NOT NULL,
                node_labels TEXT NOT NULL,
                verbs TEXT NOT NULL,
                require_kernel_events INTEGER NOT NULL,
                linger_limit_s BIGINT NOT NULL))",
           R"(CREATE TABLE user_roles (
                user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
                role_name TEXT NOT NULL REFERENCES roles (name),
                PRIMARY KEY (user_name, role_name)))",
           R"(CREATE TABLE tokens (
                name TEXT PRIMARY KEY,
                type INTEGER NOT NULL,
                secret_sha256 TEXT NOT NULL UNIQUE,
                expires_wall_s BIGINT NOT NULL,
                uses_left BIGINT NOT NULL,
                unlimited INTEGER NOT NULL,
                labels TEXT NOT NULL,
                created_by TEXT NOT NULL))",
           R"(CREATE TABLE hosts (
                id TEXT PRIMARY KEY,
                type INTEGER NOT NULL,
                name TEXT NOT NULL,
                own_labels TEXT NOT NULL,
                token_labels TEXT NOT NULL,
                ssh_host_key TEXT NOT NULL,
                version TEXT NOT NULL,
                kernel TEXT NOT NULL,
                capture_tier TEXT NOT NULL,
                hooks TEXT NOT NULL,
                last_seen_wall_s BIGINT NOT NULL,
                joined_wall_s BIGINT NOT NULL,
                token_secret_sha256 TEXT NOT NULL,
                key_sha256 TEXT NOT NULL,
                UNIQUE (token_secret_sha256, key_sha256)))",
           "CREATE INDEX hosts_by_name ON hosts (name)",
           R"(CREATE TABLE sessions (
                id TEXT PRIMARY KEY,
                user_name TEXT NOT NULL,
                login TEXT NOT NULL,
                node_id TEXT NOT NULL,
                node_name TEXT NOT NULL,
                client_address TEXT NOT NULL,
                authorized_wall_ns BIGINT NOT NULL,
                start_wall_s BIGINT NOT NULL,
                end_wall_s BIGINT NOT NULL,
                has_begun INTEGER NOT NULL,
                is_complete INTEGER NOT NULL,
                recording_bytes BIGINT NOT NULL,
                recording_chunks BIGINT NOT NULL,
                end_reason TEXT NOT NULL,
                command TEXT NOT NULL))",
           "CREATE INDEX sessions_by_time ON sessions (authorized_wall_ns, id)",
           "CREATE INDEX sessions_by_user ON sessions (user_name, authorized_wall_ns, id)",
           "CREATE INDEX sessions_by_node ON sessions (node_id, authorized_wall_ns, id)",
           "CREATE INDEX sessions_live ON sessions (id) WHERE end_wall_s = 0",
           R"(CREATE TABLE audit_events (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                wall_ns BIGINT NOT NULL,
                kind TEXT NOT NULL,
                noun TEXT NOT NULL,
                user_name TEXT NOT NULL,
                node_id TEXT NOT NULL,
                node_name TEXT NOT NULL,
                session_id TEXT NOT NULL,
                success INTEGER NOT NULL,
                message TEXT NOT NULL,
                fields TEXT NOT NULL))",
           // Each serves its condition, a span of time and the order in one: a page costs the same however much there
           // is.
           "CREATE INDEX audit_by_time ON audit_events (wall_ns, id)",
           "CREATE INDEX audit_by_kind ON audit_events (kind, wall_ns, id)",
           "CREATE INDEX audit_by_noun ON audit_events (noun, wall_ns, id)",
           "CREATE INDEX audit_by_user ON audit_events (user_name, wall_ns, id)",
           "CREATE INDEX audit_by_node ON audit_events (node_id, wall_ns, id)",
           "CREATE INDEX audit_by_session ON audit_events (session_id, wall_ns, id)",
           R"(INSERT INTO roles (name, logins, node_labels, verbs, require_kernel_events, linger_limit_s) VALUES
                ('admin', '[]', '{}', '["*"]', 0, 0),
                ('auditor', '[]', '{}', '["audit","recordings"]', 0, 0),
                ('access', '[]', '{"*":"*"}', '[]', 0, 0))",
       }},
      {2,
       "what a node's capture lacks",
       {
           "ALTER TABLE hosts ADD COLUMN capture_error TEXT NOT NULL DEFAULT ''",
       }},
      {3,
       "roles whose sessions' input is recorded",
       {
           "ALTER TABLE roles ADD COLUMN record_input INTEGER NOT NULL DEFAULT 0",
       }},
      {4,
       "the audit log's tree",
       {
           "ALTER TABLE audit_events ADD COLUMN leaf BIGINT NOT NULL DEFAULT 0",
           "CREATE INDEX audit_by_leaf ON audit_events (leaf)",
           R"(CREATE TABLE audit_tree (
                level INTEGER NOT NULL,
                place BIGINT NOT NULL,
                hash TEXT NOT NULL,
                PRIMARY KEY (level, place)))",
       }},
      {5,
       "what becomes of recordings: legal holds, tombstones, retention, later recipients",
       {
           "ALTER TABLE sessions ADD COLUMN hold_wall_s BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE sessions ADD COLUMN hold_by TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN hold_reason TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN deleted_wall_s BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE sessions ADD COLUMN deleted_by TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN deleted_rule TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN deleted_reason TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN recording_root TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN certificate_serial TEXT NOT NULL DEFAULT ''",
           // What retention rules look at, as it was when the session began; '': nobody knows.
           "ALTER TABLE sessions ADD COLUMN node_labels TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN user_roles TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN keep_s BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE sessions ADD COLUMN keep_rule TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE sessions ADD COLUMN keys_for TEXT NOT NULL DEFAULT ''",
           "CREATE INDEX sessions_deleted ON sessions (id) WHERE deleted_wall_s <> 0",
           R"(CREATE INDEX sessions_expiring ON sessions ((end_wall_s + keep_s))
                WHERE keep_rule <> '' AND end_wall_s <> 0 AND has_begun = 1 AND deleted_wall_s = 0 AND hold_wall_s = 0)",
           R"(CREATE TABLE retention_rules (
                name TEXT PRIMARY KEY,
                node_labels TEXT NOT NULL,
                logins TEXT NOT NULL,
                roles TEXT NOT NULL,
                users TEXT NOT NULL,
                keep_s BIGINT NOT NULL))",
       }},
      {6,
       "which recordings have been recompressed",
       {
           // 1: done, or looked at and left as it is.
           "ALTER TABLE sessions ADD COLUMN is_archived INTEGER NOT NULL DEFAULT 0",
           "CREATE INDEX sessions_unarchived ON sessions (end_wall_s) WHERE is_archived = 0 AND is_complete = 1 AND "
           "deleted_wall_s = 0 AND hold_wall_s = 0",
       }},
      {7,
       "what a role's sessions may forward",
       {
           // Roles that were written before forward nothing until they are written anew.
           "ALTER TABLE roles ADD COLUMN forwards TEXT NOT NULL DEFAULT '[]'",
       }},
      {8,
       "how much of output that goes to no terminal is kept",
       {
           // -1: all, as before.
           "ALTER TABLE roles ADD COLUMN piped_output_bytes BIGINT NOT NULL DEFAULT -1",
       }},
  };
  return list;
}

}  // namespace

std::span<const Migration> migrations() { return all(); }

}  // namespace cairn::auth
