#include <algorithm>

#include <fmt/format.h>

#include "auth/service/audit_events.h"
#include "auth/service/service.h"

namespace cairn::auth {
namespace {

constexpr uint32_t kDefaultRewrapped = 100;
constexpr uint32_t kMaxRewrapped = 1000;
constexpr uint32_t kSessionsAtOnce = 1000;

}  // namespace

Service::Answer Service::rotate_recording_key(const Subject& caller) {
  if (Result<void> allowed = require_verb(caller, "keys"); !allowed) return fail(allowed);
  // On record before it is done: a new key that nobody asked for would be worse than a word about none.
  AuditEvent event = event_by(caller, "keys.rotate", true,
                              fmt::format("{} replaced the key that recordings are encrypted to", caller.text()),
                              {{"before", keys_->current()}});
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  Result<std::string> recipient = keys_->rotate();
  if (!recipient) return fail(recipient);
  log_.info("keys.rotated", kv("recipient", *recipient));
  v1::Response response;
  response.mutable_rotate_recording_key()->set_recipient(std::move(*recipient));
  response.mutable_rotate_recording_key()->set_old_keys(static_cast<uint32_t>(keys_->old_recipients().size()));
  return response;
}

Service::Answer Service::rewrap_recordings(const Subject& caller, const v1::RewrapRecordingsRequest& request) {
  if (Result<void> allowed = require_verb(caller, "keys"); !allowed) return fail(allowed);
  const uint32_t limit = request.limit() == 0 ? kDefaultRewrapped : std::min(request.limit(), kMaxRewrapped);
  const Result<std::vector<SessionRecord>> sessions = store_->sessions_after(request.after_session_id(), limit);
  if (!sessions) return fail(sessions);
  v1::Response response;
  v1::RewrapRecordingsResponse& answer = *response.mutable_rewrap_recordings();
  std::vector<std::string> wanted;
  const auto note_failure = [&](const std::string& id, const Error& error) {
    log_.warn("recording.unwrapped", kv("session", id), kv_error(error));
    answer.set_failed(answer.failed() + 1);
  };
  for (const SessionRecord& session : *sessions) {
    const Result<Recordings::Wrapping> wrapping = recordings_->wrapping(session);
    if (!wrapping)
      note_failure(session.session.id(), wrapping.error());
    else if (*wrapping == Recordings::Wrapping::kOther)
      wanted.push_back(session.session.id());
    else if (*wrapping == Recordings::Wrapping::kLocked)
      answer.set_locked(answer.locked() + 1);
    else
      answer.set_unchanged(answer.unchanged() + 1);
  }
  if (sessions->size() == limit) answer.set_last_session_id(sessions->back().session.id());
  if (wanted.empty()) return response;
  AuditEvent event =
      event_by(caller, "keys.rewrap", true,
               fmt::format("{} gave the keys of {} recordings to the recipients of now", caller.text(), wanted.size()),
               {{"recipients", keys_->recipients_text()}, {"recordings", std::to_string(wanted.size())}});
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  for (const std::string& id : wanted) {
    const Result<void> wrapped = recordings_->rewrap(id);
    if (!wrapped && wrapped.error().code == Errc::kUnavailable) return fail(wrapped);
    if (!wrapped) note_failure(id, wrapped.error());
    if (wrapped) answer.set_wrapped(answer.wrapped() + 1);
  }
  return response;
}

Service::Answer Service::drop_recording_keys(const Subject& caller) {
  if (Result<void> allowed = require_verb(caller, "keys"); !allowed) return fail(allowed);
  v1::Response response;
  v1::DropRecordingKeysResponse& answer = *response.mutable_drop_recording_keys();
  const std::string current = keys_->current();
  if (keys_->old_recipients().empty()) return response;
  std::vector<std::string> needed;
  for (std::string after;;) {
    const Result<std::vector<SessionRecord>> sessions = store_->sessions_after(after, kSessionsAtOnce);
    if (!sessions) return fail(sessions);
    for (const SessionRecord& session : *sessions) {
      const Result<bool> needs = recordings_->needs_old_key(session);
      if (!needs) return fail(needs, fmt::format("session {}", session.session.id()));
      if (*needs) needed.push_back(session.session.id());
    }
    if (sessions->size() < kSessionsAtOnce) break;
    after = sessions->back().session.id();
  }
  if (!needed.empty()) {
    return fail(Errc::kInvalid, fmt::format("{} recordings can be read with an old key only, or are still to come, {} "
                                            "among them; run \"cairn keys rewrap\" first",
                                            needed.size(), needed.front()));
  }
  AuditEvent event =
      event_by(caller, "keys.drop", true, fmt::format("{} made auth forget the old keys of recordings", caller.text()),
               {{"dropped", fmt::format("{}", fmt::join(keys_->old_recipients(), ","))}});
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  const Result<uint32_t> dropped = keys_->drop_old(current);
  if (!dropped) return fail(dropped);
  answer.set_dropped(*dropped);
  return response;
}

}  // namespace cairn::auth
