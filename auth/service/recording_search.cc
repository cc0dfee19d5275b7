#include "auth/service/recording_search.h"

#include <charconv>

#include <fmt/format.h>

namespace cairn::auth {
namespace {

// Of lines and commands in one page: with what surrounds them it stays well within a frame.
constexpr size_t kMaxPageBytes = 1 << 20;

Result<uint64_t> take_number(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ':')
    return fail(Errc::kInvalid, "page_token is none of this search");
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return number;
}

}  // namespace

std::string SearchPosition::token() const { return fmt::format("{}:{}:{}:{}", segment, skip, session_id, sessions); }

Result<SearchPosition> SearchPosition::parse(std::string_view token) {
  const Result<uint64_t> segment = take_number(token);
  if (!segment) return fail(segment);
  const Result<uint64_t> skip = take_number(token);
  if (!skip) return fail(skip);
  const size_t colon = token.find(':');
  if (colon == std::string_view::npos) return fail(Errc::kInvalid, "page_token is none of this search");
  return SearchPosition{.sessions = std::string(token.substr(colon + 1)),
                        .session_id = std::string(token.substr(0, colon)),
                        .segment = *segment,
                        .skip = *skip};
}

v1::SearchRecordingsResponse::Found& RecordingSearch::found_in(const v1::Session& session) {
  const int count = page_.found_size();
  if (count > 0 && page_.found(count - 1).session().id() == session.id()) return *page_.mutable_found(count - 1);
  v1::SearchRecordingsResponse::Found& found = *page_.add_found();
  *found.mutable_session() = session;
  return found;
}

bool RecordingSearch::add_lines(const v1::Session& session, std::vector<recorder::FoundText> lines,
                                SearchPosition& position) {
  for (; position.skip < lines.size(); ++position.skip) {
    recorder::FoundText& line = lines[position.skip];
    const size_t bytes = line.text.size() + line.command.size();
    if (lines_ == limit_ || (lines_ > 0 && bytes_ + bytes > kMaxPageBytes)) return false;
    ++lines_;
    bytes_ += bytes;
    v1::SearchRecordingsResponse::Line& into = *found_in(session).add_lines();
    into.set_source(line.source);
    into.set_at_ms(line.time_ms);
    into.set_text(std::move(line.text));
    into.set_command(std::move(line.command));
  }
  ++position.segment;
  position.skip = 0;
  return true;
}

// The chunk that is still open comes as one more segment.
Result<bool> RecordingSearch::search_segments(const v1::Session& session, const recorder::Derived& derived,
                                              SearchPosition& position) {
  const std::vector<recorder::DerivedSegment>& segments = derived.file.segments();
  const std::optional<derived::v1::Content>& open_chunk = derived.open_chunk;
  while (position.segment < segments.size() + (open_chunk ? 1 : 0)) {
    const bool is_stored = position.segment < segments.size();
    const Result<derived::v1::Content> stored =
        is_stored ? derived.file.content(segments[position.segment]) : Result<derived::v1::Content>();
    if (!stored) return fail(stored);
    Result<std::vector<recorder::FoundText>> lines =
        recorder::find_text(!is_stored && open_chunk ? *open_chunk : *stored, search_, sources_);
    if (!lines) return fail(lines);
    if (!add_lines(session, std::move(*lines), position)) return false;
    if (std::chrono::steady_clock::now() >= deadline_) return false;
  }
  return true;
}

bool RecordingSearch::add(const v1::Session& session, SearchPosition& position) {
  if (std::chrono::steady_clock::now() >= deadline_) return false;
  const Result<recorder::Derived> derived = derivations_->read(session.id(), !session.recording_complete(), deadline_);
  if (!derived && derived.error().code == make_error_code(Errc::kTimeout)) return false;
  if (!derived && derived.error().code == make_error_code(Errc::kNotFound)) return true;
  const Result<bool> searched = derived ? search_segments(session, *derived, position) : Result<bool>(fail(derived));
  if (searched && !*searched) return false;
  if (!searched) {
    v1::SearchRecordingsResponse::Found& found = found_in(session);
    found.set_error(searched.error().message);
    found.set_is_unreadable(searched.error().code == make_error_code(Errc::kDenied));
    return true;
  }
  page_.set_searched(page_.searched() + 1);
  return true;
}

}  // namespace cairn::auth
