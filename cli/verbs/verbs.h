#pragma once

#include "cli/verbs/context.h"

namespace cairn::cli {

// Each adds the verbs of one noun. `command` outlives the app; a verb that is chosen sets command.run.
void add_login_verbs(CLI::App& app, Command& command);  // login, logout
void add_status_verb(CLI::App& app, Command& command);
void add_node_verbs(CLI::App& app, Command& command);   // ls, nodes ls, nodes rm
void add_ssh_verbs(CLI::App& app, Command& command);    // ssh, config
void add_proxy_verbs(CLI::App& app, Command& command);  // proxy ssh
void add_known_hosts_verb(CLI::App& app, Command& command);
void add_session_verbs(CLI::App& app, Command& command);  // sessions ls
void add_recording_verbs(CLI::App& app, Command& command);
void add_recording_fate_verbs(CLI::App& recordings, Command& command);  // hold, release, rm
void add_bundle_verb(CLI::App& recordings, Command& command);
void add_export_verb(CLI::App& recordings, Command& command);
void add_grep_verb(CLI::App& recordings, Command& command);
void add_verify_verb(CLI::App& recordings, Command& command);
void add_play_verb(CLI::App& app, Command& command);
void add_audit_verbs(CLI::App& app, Command& command);  // audit search
void add_verify_audit_verb(CLI::App& audit, Command& command);
void add_token_verbs(CLI::App& app, Command& command);      // tokens add, ls, rm
void add_user_verbs(CLI::App& app, Command& command);       // users add, ls, rm, passwd
void add_role_verbs(CLI::App& app, Command& command);       // roles add, ls, rm
void add_retention_verbs(CLI::App& app, Command& command);  // retention add, ls, rm, reapply
void add_key_verbs(CLI::App& app, Command& command);        // keys rotate, rewrap, drop
void add_version_verb(CLI::App& app, Command& command);

}  // namespace cairn::cli
