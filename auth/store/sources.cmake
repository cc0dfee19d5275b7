list(APPEND auth_sources
  store/json_text.cc store/migrations.cc store/page_token.cc store/records.cc store/sql_audit.cc store/sql_hosts.cc store/sql_pool.cc store/sql_query.cc
  store/sql_recordings.cc store/sql_retention.cc store/sql_sessions.cc store/sql_tokens.cc store/sql_users.cc store/sqlite_store.cc)
list(APPEND auth_headers
  store/json_text.h store/migrations.h store/page_token.h store/records.h store/sql_audit.h store/sql_pool.h store/sql_query.h store/sql_sessions.h store/sql_store.h store/sql_tokens.h
  store/sqlite_store.h store/store.h)
list(APPEND auth_links soci_sqlite3 soci_core PkgConfig::SQLITE nlohmann_json::nlohmann_json)
