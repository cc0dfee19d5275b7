#include "auth/service/audit_events.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "auth/access/names.h"
#include "base/bytes.h"

namespace cairn::auth {
namespace {

// A page of 1000 events must stay below the frame's limit of 4 MiB.
constexpr size_t kMaxEventBytes = 3000;
constexpr size_t kMaxTextOfEvent = 1024;

constexpr std::array<std::string_view, 5> kNounsOfNodes = {"host.", "agent.", "capture.", "session.", "spool."};
constexpr std::array<std::string_view, 2> kKindsOfAuth = {"session.start", "session.end"};

std::string cut(std::string_view text) {
  if (text.size() <= kMaxTextOfEvent) return std::string(text);
  size_t end = kMaxTextOfEvent;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // between two UTF-8 characters
  return std::string(text.substr(0, end)) + "…";
}

bool is_kind(std::string_view kind) {
  constexpr size_t kMaxKindChars = 64;
  return kind.size() <= kMaxKindChars && std::count(kind.begin(), kind.end(), '.') == 1 && !kind.ends_with('.') &&
         std::all_of(kind.begin(), kind.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; });
}

AuditEvent event_of(std::string_view kind, bool success, std::string_view message,
                    std::initializer_list<Field> fields) {
  AuditEvent event;
  event.set_kind(std::string(kind));
  event.set_success(success);
  event.set_message(cut(message));
  for (const auto& [key, value] : fields) {
    if (!value.empty()) (*event.mutable_fields())[std::string(key)] = cut(value);
  }
  return event;
}

}  // namespace

AuditEvent event_by(const Subject& who, std::string_view kind, bool success, std::string_view message,
                    std::initializer_list<Field> fields) {
  AuditEvent event = event_of(kind, success, message, fields);
  event.set_user(who.person());
  if (who.kind == Subject::Kind::kNode || who.kind == Subject::Kind::kProxy) {
    event.set_node_id(who.id);
    event.set_node_name(who.name);
  }
  (*event.mutable_fields())["by"] = who.text();
  return event;
}

AuditEvent event_by_stranger(std::string_view kind, std::string_view message, std::initializer_list<Field> fields) {
  return event_of(kind, false, message, fields);
}

AuditEvent event_by_rule(std::string_view rule, std::string_view kind, std::string_view message) {
  return event_of(kind, true, message, {{"by", fmt::format("retention rule {}", rule)}, {"rule", rule}});
}

Events at(int64_t wall_ns, AuditEvent event) {
  event.set_wall_ns(wall_ns);
  Events events;
  events.push_back(std::move(event));
  return events;
}

Result<void> check_event_of_node(const AuditEvent& event) {
  if (!is_kind(event.kind())) return fail(Errc::kInvalid, "kind: not of the form noun.verb");
  const auto begins = [&](std::string_view noun) { return event.kind().starts_with(noun); };
  if (std::none_of(kNounsOfNodes.begin(), kNounsOfNodes.end(), begins) ||
      std::find(kKindsOfAuth.begin(), kKindsOfAuth.end(), event.kind()) != kKindsOfAuth.end())
    return fail(Errc::kDenied, fmt::format("a node may not write audit events of kind {}", event.kind()));
  if (event.ByteSizeLong() > kMaxEventBytes)
    return fail(Errc::kInvalid, fmt::format("audit event of {} bytes, limit {}", event.ByteSizeLong(), kMaxEventBytes));
  if (!event.session_id().empty() && !is_uuid(event.session_id())) return fail(Errc::kInvalid, "session_id is no UUID");
  for (const std::string* text : {&event.user(), &event.message()}) {
    if (Result<void> good = check_text("audit event", *text); !good) return good;
  }
  return {};
}

}  // namespace cairn::auth
