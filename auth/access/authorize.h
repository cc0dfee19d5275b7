#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "auth/store/records.h"
#include "auth/store/store.h"
#include "base/result.h"

namespace cairn::auth {

// Who asks, as proven by certificate or socket.
struct Subject {
  enum class Kind {
    kRoot,   // uid 0 on the auth host, through the unix socket
    kUser,   // name
    kNode,   // name and id
    kProxy,  // name and id
  };
  Kind kind = Kind::kUser;
  std::string name;
  std::string id;

  // "user alice", "node web-1 (UUID)", "root on the auth host"
  std::string text() const;
  // The person for the audit log: the user's name, "root" through the socket, empty for hosts.
  std::string person() const;
};

// What they want to do.

struct Administer {
  std::string verb;  // one of known_verbs()
};
struct StartSession {
  std::string login;
  v1::Node node;
};
struct SeeNode {
  v1::Node node;
};
struct SeeSession {  // its row and its recording
  std::string user;  // whose it is
};
struct ServeSessions {};   // heartbeats, sessions, uploads, events
struct ReportPresence {};  // which nodes are connected
struct RenewCertificate {};
struct ChangeOwnPassword {};

using Action = std::variant<Administer, StartSession, SeeNode, SeeSession, ServeSessions, ReportPresence,
                            RenewCertificate, ChangeOwnPassword>;

// What goes with a session, of all roles that grant it; empty for other actions.
struct Grant {
  v1::RecordingPolicy recording;   // the strictest
  std::set<std::string> forwards;  // of known_forwards(): what any of them permits
};

// The one place where it is decided who may do what. docs/access.md has the rules as a table.
//   fails    kDenied with a sentence that says what is missing and whom to ask. The store's errors: no answer is a no.
Result<Grant> authorize(const Subject& subject, const Action& action, Store& store);

// Those of the nodes that the subject may see, in the given order: authorize() with SeeNode for each, with one look at
// their roles.
Result<std::vector<v1::Node>> visible_nodes(const Subject& subject, std::vector<v1::Node> nodes, Store& store);

// The verbs that a role may hold besides "*".
const std::vector<std::string>& known_verbs();
// What a role may let its sessions forward: "ports" (ssh -L, -R, -D, -W), "agent" (-A), "x11" (-X).
const std::vector<std::string>& known_forwards();
// True if a role with these labels reaches the node: every label must match; "*" as value matches any, as key with "*"
// every node; no labels reach no node.
bool labels_match(const google::protobuf::Map<std::string, std::string>& wanted, const v1::Node& node);
// The accounts that the roles give, sorted, each once: the principals of the person's certificate.
std::vector<std::string> logins_of(const std::vector<v1::Role>& roles);

}  // namespace cairn::auth
