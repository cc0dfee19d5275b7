#include "auth/service/retention.h"

#include <fmt/format.h>

#include "auth/access/retention_rules.h"
#include "auth/service/audit_events.h"

namespace cairn::auth {
namespace {

// Short transactions: recordings are uploaded meanwhile.
constexpr uint32_t kSessionsAtOnce = 1000;
constexpr uint32_t kDeletedAtOnce = 100;

}  // namespace

Result<KeepPromise> Retention::promise(const SessionRecord& session) {
  const Result<std::vector<v1::RetentionRule>> rules = store_->list_retention_rules();
  if (!rules) return fail(rules);
  return promise_by_rules(*rules, session);
}

void Retention::run_round() {
  const std::scoped_lock lock(mutex_);
  if (const Result<void> done = lengthen_if_changed(); !done) {
    log_.error("retention.failed", kv_error(done.error()));
    return;  // what is over by older rules may not be by those of now
  }
  if (const Result<void> done = delete_expired(); !done) log_.error("retention.failed", kv_error(done.error()));
  std::ignore = recordings_->erase_rest();  // logged there
}

Result<uint64_t> Retention::reapply() {
  const std::scoped_lock lock(mutex_);
  const Result<std::vector<v1::RetentionRule>> rules = store_->list_retention_rules();
  if (!rules) return fail(rules);
  return walk(*rules, Walk::kReplace);
}

Result<uint64_t> Retention::walk(const std::vector<v1::RetentionRule>& rules, Walk kind) {
  uint64_t changed = 0;
  std::string after;
  for (;;) {
    const Result<std::vector<SessionRecord>> sessions = store_->sessions_after(after, kSessionsAtOnce);
    if (!sessions) return fail(sessions);
    std::map<std::string, KeepPromise> promises;
    for (const SessionRecord& session : *sessions) {
      const KeepPromise now = promise_by_rules(rules, session);
      const KeepPromise wanted = kind == Walk::kReplace ? now : lengthened(session.promise, now);
      if (wanted != session.promise) promises[session.session.id()] = wanted;
    }
    if (Result<void> stored = store_->set_promises(promises); !stored) return fail(stored);
    changed += promises.size();
    if (sessions->size() < kSessionsAtOnce) return changed;
    after = sessions->back().session.id();
  }
}

Result<void> Retention::lengthen_if_changed() {
  const Result<std::vector<v1::RetentionRule>> rules = store_->list_retention_rules();
  if (!rules) return fail(rules);
  std::vector<std::string> texts;
  for (const v1::RetentionRule& rule : *rules) texts.push_back(rule.name() + ": " + rule_text(rule));
  if (applied_ == texts) return {};
  const Result<uint64_t> walked = walk(*rules, Walk::kLengthen);
  if (!walked) return fail(walked);
  applied_ = std::move(texts);
  return {};
}

Recordings::Removal Retention::removal_of(const SessionRecord& expired) const {
  const v1::Session& session = expired.session;
  const std::string& rule = expired.promise.rule;
  const std::string kept = keep_text(static_cast<uint64_t>(expired.promise.keep_s));
  Recordings::Removal removal;
  removal.session_id = session.id();
  removal.deletion.set_wall_s(clock_->wall_s());
  removal.deletion.set_rule(rule);
  removal.deletion.set_reason(fmt::format("it was kept for {}", kept));
  removal.event = event_by_rule(rule, "recording.delete",
                                fmt::format("the recording of {}'s session on {} was deleted: it was kept for {}",
                                            session.user(), session.node_name(), kept));
  removal.event.set_wall_ns(clock_->wall_ns());
  return removal;
}

Result<void> Retention::delete_expired() {
  for (;;) {
    const Result<std::vector<SessionRecord>> expired = store_->expired_recordings(clock_->wall_s(), kDeletedAtOnce);
    if (!expired) return fail(expired);
    // Looked at once more: a session that began while the rules were being changed has the promise of the old ones.
    const Result<std::vector<v1::RetentionRule>> rules = store_->list_retention_rules();
    if (!rules) return fail(rules);
    std::map<std::string, KeepPromise> longer;
    std::vector<Recordings::Removal> removals;
    for (const SessionRecord& session : *expired) {
      const KeepPromise promise = lengthened(session.promise, promise_by_rules(*rules, session));
      if (promise == session.promise)
        removals.push_back(removal_of(session));
      else
        longer[session.session.id()] = promise;
    }
    if (Result<void> stored = store_->set_promises(longer); !stored) return stored;
    const Result<size_t> removed = recordings_->remove(std::move(removals));
    if (!removed) return fail(removed);
    // Fewer than there were: the rest is as far as it gets in this round.
    if (*removed + longer.size() < kDeletedAtOnce) return {};
  }
}

}  // namespace cairn::auth
