#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/recordings/derivations.h"
#include "base/async.h"
#include "base/result.h"
#include "proto/auth.pb.h"
#include "recorder/derive/derived_lookup.h"

namespace cairn::auth {

// Where a search goes on: in which session, at which of its derived segments, behind how many of that one's lines.
// Opaque to clients.
struct SearchPosition {
  std::string sessions = {};    // page token of the list that begins with the session
  std::string session_id = {};  // empty: whichever comes first
  uint64_t segment = 0;
  uint64_t skip = 0;

  std::string token() const;
  //   fails  kInvalid
  static Result<SearchPosition> parse(std::string_view token);
};

// One page of a search. One thread.
class RecordingSearch {
 public:
  // `derivations` outlives it. It stops at the deadline, but not without having got on.
  RecordingSearch(Derivations* derivations, recorder::LineSearch search, std::vector<derived::v1::Source> sources,
                  uint32_t limit, Deadline deadline)
      : derivations_(derivations),
        search_(std::move(search)),
        sources_(std::move(sources)),
        limit_(limit),
        deadline_(deadline) {}

  // Searches a session from `position` on.
  //   returns  false: the page is full, or time is up; the next one goes on at `position`
  bool add(const v1::Session& session, SearchPosition& position);

  v1::SearchRecordingsResponse take() { return std::move(page_); }

 private:
  Result<bool> search_segments(const v1::Session& session, const recorder::Derived& derived, SearchPosition& position);
  bool add_lines(const v1::Session& session, std::vector<recorder::FoundText> lines, SearchPosition& position);
  v1::SearchRecordingsResponse::Found& found_in(const v1::Session& session);

  Derivations* derivations_;
  recorder::LineSearch search_;
  std::vector<derived::v1::Source> sources_;
  uint32_t limit_;
  Deadline deadline_;
  uint32_t lines_ = 0;
  size_t bytes_ = 0;
  v1::SearchRecordingsResponse page_;
};

}  // namespace cairn::auth
