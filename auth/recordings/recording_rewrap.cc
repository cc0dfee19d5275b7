#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "auth/recordings/recordings.h"

namespace cairn::auth {
namespace {

// A node that has been away for longer than this does not come back with what it recorded under an old key.
constexpr int64_t kAwaitedS = int64_t{30} * 86'400;

bool is_damaged(const Error& error) { return error.code == Errc::kCorrupt || error.code == Errc::kUnsupported; }

}  // namespace

Result<std::shared_ptr<const recorder::RecordingKeys>> Recordings::keys_of(const std::string& session_id,
                                                                           const recorder::Opening& opening) {
  Result<std::shared_ptr<const recorder::RecordingKeys>> keys = keys_->keys_of(opening, "");
  if (keys || keys.error().code != Errc::kDenied) return keys;
  const Result<std::string> later = chunks_->keys(session_id);
  if (!later) return fail(later);
  return later->empty() ? std::move(keys) : keys_->keys_of(opening, *later);
}

Result<Recordings::Wrapping> Recordings::wrapping(const SessionRecord& session) {
  const std::string& id = session.session.id();
  if (session.keys_for == keys_->recipients_text()) return Wrapping::kRight;
  const Result<RecordingState> state = chunks_->state(id);
  if (!state) return fail(state);
  if (state->chunks == 0) return Wrapping::kRight;
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, id);
  if (!opening) return fail(opening);
  if (opening->sealed_secret().empty()) return Wrapping::kRight;
  const Result<std::shared_ptr<const recorder::RecordingKeys>> keys = keys_of(id, *opening);
  if (keys) return Wrapping::kOther;
  return keys.error().code == Errc::kDenied ? Result<Wrapping>(Wrapping::kLocked) : fail(keys);
}

Result<void> Recordings::rewrap(const std::string& session_id) {
  const Hold hold = lock_tree(session_id);
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  if (session->session.has_deletion()) return {};
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, session_id);
  if (!opening) return fail(opening);
  const Result<std::shared_ptr<const recorder::RecordingKeys>> keys = keys_of(session_id, *opening);
  if (!keys) return fail(keys);
  // Asked for before: should it change in between, this one is wrapped once more than it had to be.
  const std::string recipients = keys_->recipients_text();
  if (Result<void> put = chunks_->put_keys(session_id, keys_->seal((*keys)->secret())); !put) return put;
  return store_->set_keys_for(session_id, recipients);
}

Result<bool> Recordings::needs_old_key(const SessionRecord& session) {
  const std::string& id = session.session.id();
  const std::vector<std::string> old = keys_->old_recipients();
  const Result<RecordingState> state = chunks_->state(id);
  if (!state && !is_damaged(state.error())) return fail(state);
  if (state && state->chunks == 0) {
    const bool is_awaited =
        session.session.end_wall_s() == 0 && session.session.start_wall_s() > clock_->wall_s() - kAwaitedS;
    return is_awaited && std::ranges::any_of(old, [&](const std::string& recipient) {
             return session.keys_for.empty() || session.keys_for.find(recipient) != std::string::npos;
           });
  }
  const Result<recorder::Opening> opening = read_stored_opening(*chunks_, id);
  if (!opening && is_damaged(opening.error())) return false;  // no key opens it
  if (!opening) return fail(opening);
  if (opening->sealed_secret().empty()) return false;
  const Result<std::string> later = chunks_->keys(id);
  if (!later) return fail(later);
  if (!keys_->needs_old(*opening, *later)) return false;
  // Where auth is no recipient any more, those of now have it all the same.
  const std::vector<std::string> now = keys_->recipients();
  const bool is_auth_to_read = std::ranges::find(now, keys_->current()) != now.end();
  return is_auth_to_read || later->empty() || session.keys_for != keys_->recipients_text();
}

}  // namespace cairn::auth
