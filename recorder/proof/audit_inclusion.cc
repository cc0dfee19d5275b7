#include "recorder/proof/audit_inclusion.h"

#include <google/protobuf/util/json_util.h>

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "proto/audit.pb.h"
#include "recorder/proof/audit_entry.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/proof/merkle.h"

namespace cairn::recorder {
namespace {

constexpr size_t kMaxEntryBytes = 64 * 1024;

Failure no(std::string why) { return fail(Errc::kUnauthenticated, std::move(why)); }

// The event, and that its entry is written in no other way: two readers must not see different events in one leaf.
Result<void> check_entry(const std::string& entry, std::string_view session, std::string_view root) {
  audit::v1::AuditEvent event;
  if (entry.size() > kMaxEntryBytes || !google::protobuf::util::JsonStringToMessage(entry, &event).ok() ||
      audit_entry(event) != entry) {
    return no("the event is not written as events of the log are");
  }
  const auto named = event.fields().find("root");
  const bool is_of_it = named != event.fields().end() && named->second == to_hex(root);
  if (event.kind() != "session.end" || event.session_id() != session || !is_of_it)
    return no("the event speaks of another recording");
  return {};
}

}  // namespace

Result<AuditPlace> check_audit_inclusion(const AuditInclusion& inclusion, const NoteKey& auth, std::string_view session,
                                         std::string_view root) {
  if (Result<void> right = check_entry(inclusion.entry(), session, root); !right) return fail(right);
  const Result<SignedNote> note = parse_note(inclusion.head());
  const Result<Checkpoint> head = note ? parse_checkpoint(note->text) : fail(note);
  if (!head || head->origin != auth.name || !is_signed_by(*note, auth)) return no("the log is not signed by auth");
  std::vector<std::string> path;
  for (size_t at = 0; at + kHashBytes <= inclusion.path().size(); at += kHashBytes)
    path.push_back(inclusion.path().substr(at, kHashBytes));
  const std::string leaf = merkle_leaf(inclusion.entry());
  if (inclusion.leaf() == 0 || !verify_inclusion(inclusion.leaf() - 1, head->size, leaf, path, head->root))
    return no("the event is not in the log that auth has signed");
  return AuditPlace{.event = inclusion.leaf(), .events = head->size, .signed_wall_ns = head->wall_ns};
}

}  // namespace cairn::recorder
