#include "recorder/proof/audit_entry.h"

#include <map>

#include <fmt/format.h>

#include "recorder/export/terminal_export.h"

namespace cairn::recorder {

std::string audit_entry(const audit::v1::AuditEvent& event) {
  std::string fields;
  for (const auto& [key, value] : std::map<std::string, std::string>(event.fields().begin(), event.fields().end())) {
    fields += fmt::format("{}{}:{}", fields.empty() ? "" : ",", json_string(key), json_string(value));
  }
  return fmt::format(
      "{{\"fields\":{{{}}},\"id\":{},\"kind\":{},\"message\":{},\"node_id\":{},\"node_name\":{},\"session_id\":{},"
      "\"success\":{},\"user\":{},\"wall_ns\":{}}}",
      fields, event.id(), json_string(event.kind()), json_string(event.message()), json_string(event.node_id()),
      json_string(event.node_name()), json_string(event.session_id()), event.success(), json_string(event.user()),
      event.wall_ns());
}

}  // namespace cairn::recorder
