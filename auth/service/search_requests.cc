#include <algorithm>

#include <fmt/format.h>

#include "auth/service/audit_events.h"
#include "auth/service/recording_search.h"
#include "auth/service/service.h"
#include "recorder/derive/derived_lookup.h"

namespace cairn::auth {
namespace {

constexpr uint32_t kDefaultLines = 1000;
constexpr uint32_t kMaxLines = 10'000;
constexpr int64_t kNsPerS = 1'000'000'000;
// A page is answered within this, and one that asks for a moment, whatever it takes to derive.
constexpr std::chrono::milliseconds kPatience{1500};
// How far a session may have moved in the list since the page before: others may have begun.
constexpr int kMaxMoved = 10'000;

std::string text_of(const v1::SearchRecordingsRequest& request) {
  std::string text = fmt::format("searched recordings for \"{}\"", request.pattern());
  if (!request.session_id().empty()) text += ", session " + request.session_id();
  if (!request.user().empty()) text += ", user " + request.user();
  if (!request.node().empty()) text += ", node " + request.node();
  return text;
}

std::vector<derived::v1::Source> sources_of(const v1::SearchRecordingsRequest& request) {
  std::vector<derived::v1::Source> sources;
  for (const int source : request.sources()) {
    if (derived::v1::Source_IsValid(source) && std::ranges::find(sources, source) == sources.end())
      sources.push_back(static_cast<derived::v1::Source>(source));
  }
  if (sources.empty()) sources.push_back(derived::v1::SOURCE_OUTPUT);
  return sources;
}

recorder::Step step_of(v1::FindMomentRequest::Step step) {
  switch (step) {
    case v1::FindMomentRequest::STEP_NEXT_COMMAND: return recorder::Step::kNextCommand;
    case v1::FindMomentRequest::STEP_PREVIOUS_COMMAND: return recorder::Step::kPreviousCommand;
    default: return recorder::Step::kHere;
  }
}

}  // namespace

// Those sessions that list_sessions shows, one after the other.
Result<SessionQuery> Service::query_of_search(const Subject& caller, const v1::SearchRecordingsRequest& request) {
  if (request.since_wall_s() < 0 || request.since_wall_s() > INT64_MAX / kNsPerS)
    return fail(Errc::kInvalid, "a time before 1970 or too far in the future");
  SessionQuery query{.user = request.user(),
                     .begun_after_wall_ns = begun_after_wall_ns(),
                     .since_wall_ns = request.since_wall_s() * kNsPerS,
                     .limit = 1};
  if (!request.node().empty()) {
    Result<std::vector<std::string>> ids = node_ids_of(request.node());
    if (!ids) return fail(ids);
    query.node_ids = std::move(*ids);
  }
  if (Result<void> limited = limit_to_visible(caller, query); !limited) return fail(limited);
  return query;
}

Result<void> Service::search_sessions(SessionQuery query, SearchPosition position, RecordingSearch& search,
                                      std::string& next_page_token) {
  query.page_token = position.sessions;
  for (int moved = 0;;) {
    const Result<Page<v1::Session>> page = store_->list_sessions(query);
    if (!page) return fail(page);
    if (page->rows.empty()) return {};
    const v1::Session& session = page->rows.front();
    const bool is_awaited = position.session_id.empty() || position.session_id == session.id();
    if (!is_awaited && ++moved > kMaxMoved)
      return fail(Errc::kNotFound, "the session at which the search was to go on is gone; begin anew");
    if (is_awaited && !session.has_deletion() && !search.add(session, position)) {
      position.sessions = query.page_token;
      position.session_id = session.id();
      next_page_token = position.token();
      return {};
    }
    if (is_awaited) position = {};
    if (page->next_page_token.empty()) return {};
    query.page_token = page->next_page_token;
  }
}

Service::Answer Service::search_recordings(const Subject& caller, const v1::SearchRecordingsRequest& request) {
  Result<recorder::LineSearch> lines = recorder::LineSearch::compile(request.pattern(), request.ignore_case());
  if (!lines) return fail(lines);
  SearchPosition position;
  if (!request.page_token().empty()) {
    Result<SearchPosition> parsed = SearchPosition::parse(request.page_token());
    if (!parsed) return fail(parsed);
    position = std::move(*parsed);
  }
  const Result<SessionQuery> query = query_of_search(caller, request);
  if (!query) return fail(query);
  std::optional<v1::Session> session;
  if (!request.session_id().empty()) {
    Result<v1::Session> visible = visible_session(caller, request.session_id());
    if (!visible) return fail(visible);
    session = std::move(*visible);
  }
  if (request.page_token().empty()) {
    AuditEvent event = event_by(caller, "recording.search", true, caller.text() + " " + text_of(request),
                                {{"pattern", request.pattern()}});
    if (session) event.set_session_id(session->id());
    if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  }
  const uint32_t limit = request.limit() == 0 ? kDefaultLines : std::min(request.limit(), kMaxLines);
  RecordingSearch search(derivations_, std::move(*lines), sources_of(request), limit, after(kPatience));
  std::string next;
  if (session) {
    if (!search.add(*session, position)) next = position.token();
  } else if (Result<void> searched = search_sessions(*query, position, search, next); !searched) {
    return fail(searched);
  }
  v1::Response response;
  *response.mutable_search_recordings() = search.take();
  response.mutable_search_recordings()->set_next_page_token(next);
  return response;
}

Service::Answer Service::find_moment(const Subject& caller, const v1::FindMomentRequest& request,
                                     Conversation& conversation) {
  const Result<v1::Session> session = visible_session(caller, request.session_id());
  if (!session) return fail(session);
  if (Result<void> noted = note_reading(caller, *session, "", "", conversation); !noted) return fail(noted);
  const Result<recorder::Derived> derived = derivations_->read(session->id(), false, after(kPatience));
  if (!derived) return fail(derived);
  Result<std::optional<recorder::Moment>> there =
      recorder::find_moment(derived->file, request.at_ns(), step_of(request.step()));
  if (!there) return fail(there);
  std::optional<recorder::Moment>& moment = *there;
  v1::Response response;
  v1::FindMomentResponse& found = *response.mutable_find_moment();
  if (!moment) return response;
  found.set_found(true);
  found.set_at_ns(moment->at_ns);
  found.set_chunk(moment->chunk);
  const Result<uint64_t> offset =
      recordings_->offset_of(session->id(), request.layout(), moment->chunk, moment->offset);
  if (!offset) return fail(offset);
  found.set_offset(*offset);
  found.set_keyframe(std::move(moment->keyframe));
  return response;
}

}  // namespace cairn::auth
