#include <fmt/format.h>

#include "auth/access/names.h"
#include "auth/access/retention_rules.h"
#include "auth/service/audit_events.h"
#include "auth/service/service.h"

namespace cairn::auth {
namespace {

constexpr size_t kMaxReasonBytes = 512;

Result<void> check_reason(const std::string& reason) {
  if (reason.empty()) return fail(Errc::kInvalid, "a reason is needed: --reason TEXT");
  return check_text("reason", reason, kMaxReasonBytes);
}

AuditEvent event_about(const v1::Session& session, const Subject& caller, std::string_view kind,
                       std::string_view message, std::string_view reason) {
  AuditEvent event = event_by(caller, kind, true, message, {{"owner", session.user()}, {"reason", reason}});
  event.set_session_id(session.id());
  event.set_node_id(session.node_id());
  event.set_node_name(session.node_name());
  return event;
}

std::string recording_of(const v1::Session& session) {
  return fmt::format("the recording of {}'s session on {}", session.user(), session.node_name());
}

}  // namespace

Result<v1::Session> Service::recording_named(const std::string& prefix) {
  const Result<std::string> id = session_called(prefix);
  if (!id) return fail(id);
  Result<SessionRecord> record = store_->find_session(*id);
  if (!record) return fail(record);
  return std::move(record->session);
}

Service::Answer Service::hold_recording(const Subject& caller, const v1::HoldRecordingRequest& request) {
  if (Result<void> allowed = require_verb(caller, "holds"); !allowed) return fail(allowed);
  if (Result<void> good = check_reason(request.reason()); !good) return fail(good);
  const Result<v1::Session> session = recording_named(request.session_id());
  if (!session) return fail(session);
  v1::Hold hold;
  hold.set_since_wall_s(clock_->wall_s());
  hold.set_by(caller.text());
  hold.set_reason(request.reason());
  AuditEvent event =
      event_about(*session, caller, "recording.hold",
                  fmt::format("{} put a legal hold on {}", caller.text(), recording_of(*session)), request.reason());
  if (Result<void> held = store_->hold_recording(session->id(), hold, at(clock_->wall_ns(), std::move(event))); !held)
    return fail(held);
  return done();
}

Service::Answer Service::release_recording(const Subject& caller, const v1::ReleaseRecordingRequest& request) {
  if (Result<void> allowed = require_verb(caller, "holds"); !allowed) return fail(allowed);
  if (Result<void> good = check_reason(request.reason()); !good) return fail(good);
  const Result<v1::Session> session = recording_named(request.session_id());
  if (!session) return fail(session);
  AuditEvent event = event_about(*session, caller, "recording.release",
                                 fmt::format("{} ended the legal hold on {}", caller.text(), recording_of(*session)),
                                 request.reason());
  (*event.mutable_fields())["held_because"] = session->hold().reason();
  if (Result<void> released = store_->release_recording(session->id(), at(clock_->wall_ns(), std::move(event)));
      !released)
    return fail(released);
  return done();
}

Service::Answer Service::delete_recording(const Subject& caller, const v1::DeleteRecordingRequest& request) {
  if (Result<void> allowed = require_verb(caller, "deletion"); !allowed) return fail(allowed);
  if (Result<void> good = check_reason(request.reason()); !good) return fail(good);
  const Result<v1::Session> session = recording_named(request.session_id());
  if (!session) return fail(session);
  Recordings::Removal removal{.session_id = session->id(), .deletion = {}, .is_early = request.early(), .event = {}};
  removal.deletion.set_wall_s(clock_->wall_s());
  removal.deletion.set_by(caller.text());
  removal.deletion.set_reason(request.reason());
  removal.event = event_about(*session, caller, "recording.delete",
                              fmt::format("{} deleted {}", caller.text(), recording_of(*session)), request.reason());
  removal.event.set_wall_ns(clock_->wall_ns());
  AuditEvent attempt = removal.event;
  const Result<void> removed = recordings_->remove(std::move(removal));
  if (removed) return done();
  if (removed.error().code == Errc::kDenied) {
    attempt.set_success(false);
    attempt.set_message(fmt::format("{} was kept from deleting: {}", caller.text(), removed.error().message));
    if (Result<void> noted = store_->append_audit({attempt}); !noted) return fail(noted);
  }
  return fail(removed);
}

Service::Answer Service::put_retention_rule(const Subject& caller, const v1::PutRetentionRuleRequest& request) {
  if (Result<void> allowed = require_verb(caller, "retention"); !allowed) return fail(allowed);
  const v1::RetentionRule& rule = request.rule();
  if (Result<void> good = check_retention_rule(rule); !good) return fail(good);
  AuditEvent event =
      event_by(caller, "retention.put", true,
               fmt::format("{} wrote retention rule {}: {}", caller.text(), rule.name(), rule_text(rule)),
               {{"target", rule.name()}, {"rule", rule_text(rule)}});
  if (Result<void> put = store_->put_retention_rule(rule, at(clock_->wall_ns(), std::move(event))); !put)
    return fail(put);
  return done();
}

Service::Answer Service::list_retention_rules(const Subject& caller) {
  if (Result<void> allowed = require_verb(caller, "retention"); !allowed) return fail(allowed);
  const Result<std::vector<v1::RetentionRule>> rules = store_->list_retention_rules();
  if (!rules) return fail(rules);
  v1::Response response;
  response.mutable_list_retention_rules()->mutable_rules()->Add(rules->begin(), rules->end());
  return response;
}

Service::Answer Service::delete_retention_rule(const Subject& caller, const v1::DeleteRetentionRuleRequest& request) {
  if (Result<void> allowed = require_verb(caller, "retention"); !allowed) return fail(allowed);
  if (Result<void> good = check_name("retention rule", request.name()); !good) return fail(good);
  AuditEvent event = event_by(caller, "retention.delete", true,
                              fmt::format("{} removed retention rule {}", caller.text(), request.name()),
                              {{"target", request.name()}});
  if (Result<void> deleted = store_->delete_retention_rule(request.name(), at(clock_->wall_ns(), std::move(event)));
      !deleted)
    return fail(deleted);
  return done();
}

Service::Answer Service::reapply_retention(const Subject& caller, const v1::ReapplyRetentionRequest& request) {
  if (Result<void> allowed = require_verb(caller, "retention"); !allowed) return fail(allowed);
  if (Result<void> good = check_reason(request.reason()); !good) return fail(good);
  // On record before it is done: promises that were taken back without a trace would be worse than a trace of none.
  AuditEvent event = event_by(caller, "retention.reapply", true,
                              fmt::format("{} took back what earlier retention rules had promised", caller.text()),
                              {{"reason", request.reason()}});
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  const Result<uint64_t> changed = retention_->reapply();
  if (!changed) return fail(changed);
  v1::Response response;
  response.mutable_reapply_retention()->set_recordings(*changed);
  return response;
}

}  // namespace cairn::auth
