#include "auth/recordings/session_facts.h"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::auth {
namespace {

constexpr size_t kMaxCommandBytes = 1024;
constexpr int64_t kNsPerS = 1'000'000'000;

// At most `limit` bytes, cut between two UTF-8 characters.
std::string cut_text(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

Failure not_authorized(std::string_view what, const std::string& claimed, const std::string& authorized) {
  return fail(Errc::kDenied,
              fmt::format("the recording names {} \"{}\", and auth has authorized \"{}\"", what, claimed, authorized));
}

}  // namespace

Result<void> check_begin(const v1::Session& authorized, const recorder::Begin& begin) {
  if (begin.session_id() != authorized.id()) return not_authorized("session", begin.session_id(), authorized.id());
  if (begin.node_id() != authorized.node_id()) return not_authorized("node", begin.node_id(), authorized.node_id());
  if (begin.user() != authorized.user()) return not_authorized("user", begin.user(), authorized.user());
  if (begin.login() != authorized.login()) return not_authorized("login", begin.login(), authorized.login());
  return {};
}

std::string first_command(const recorder::Events& events) {
  for (const recorder::Event& event : events) {
    if (event.has_channel_opened()) return cut_text(event.channel_opened().command(), kMaxCommandBytes);
  }
  return {};
}

int64_t start_of(const recorder::Opening& opening) { return opening.begin().begin().wall_ns() / kNsPerS; }

int64_t end_of(const recorder::Opening& opening, const recorder::Event& end) {
  const recorder::Event& begin = opening.begin();
  const uint64_t lasted_ns = end.boot_ns() > begin.boot_ns() ? end.boot_ns() - begin.boot_ns() : 0;
  // Whole seconds are added, so that no foreign number can overflow. Never 0, which would say that the session lives.
  return std::max<int64_t>(1, start_of(opening) + static_cast<int64_t>(lasted_ns / uint64_t{kNsPerS}));
}

std::string_view reason_text(recording::v1::EndReason reason) {
  switch (reason) {
    case recording::v1::END_REASON_COMPLETE: return "complete";
    case recording::v1::END_REASON_LIMIT: return "limit";
    default: return "interrupted";
  }
}

AuditEvent end_event(const v1::Session& session, const SessionEnd& facts, const recorder::End& end) {
  AuditEvent event;
  event.set_kind("session.end");
  event.set_user(session.user());
  event.set_node_id(session.node_id());
  event.set_node_name(session.node_name());
  event.set_session_id(session.id());
  event.set_success(end.reason() == recording::v1::END_REASON_COMPLETE ||
                    end.reason() == recording::v1::END_REASON_LIMIT);
  event.set_message(
      fmt::format("session of {} as {} on {} ended ({}): {} programs, {} files, {} connections, {} kernel "
                  "events missing",
                  session.user(), session.login(), session.node_name(), facts.reason, end.execs(), end.opens(),
                  end.connects(), end.kernel_missing()));
  auto& fields = *event.mutable_fields();
  fields["login"] = session.login();
  fields["reason"] = facts.reason;
  fields["bytes"] = std::to_string(facts.bytes);
  fields["chunks"] = std::to_string(facts.chunks);
  fields["output_bytes"] = std::to_string(end.output_bytes());
  fields["execs"] = std::to_string(end.execs());
  fields["opens"] = std::to_string(end.opens());
  fields["connects"] = std::to_string(end.connects());
  fields["kernel_issued"] = std::to_string(end.kernel_issued());
  fields["kernel_stored"] = std::to_string(end.kernel_stored());
  if (end.has_exit())
    fields["exit"] = end.exit_signal().empty() ? std::to_string(end.exit_status()) : end.exit_signal();
  fields["kernel_missing"] = std::to_string(end.kernel_missing());
  return event;
}

}  // namespace cairn::auth
