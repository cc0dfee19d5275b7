#include <algorithm>

#include <fmt/format.h>

#include "auth/access/names.h"
#include "auth/service/service.h"
#include "recorder/proof/audit_entry.h"

namespace cairn::auth {
namespace {

constexpr uint32_t kMaxLeaves = 65'536;
constexpr int kMaxPaths = 2048;

constexpr uint32_t kDefaultEvents = 100;
constexpr uint32_t kMaxEvents = 1000;
constexpr int64_t kNsPerS = 1'000'000'000;
constexpr int64_t kMaxWallS = INT64_MAX / kNsPerS;

Result<void> check_search(const v1::SearchAuditRequest& request) {
  if (request.kinds_size() > static_cast<int>(kMaxListEntries))
    return fail(Errc::kInvalid, fmt::format("{} kinds, at most {}", request.kinds_size(), kMaxListEntries));
  for (const int64_t time : {request.since_wall_s(), request.until_wall_s()}) {
    if (time < 0 || time > kMaxWallS) return fail(Errc::kInvalid, "a time before 1970 or too far in the future");
  }
  return {};
}

}  // namespace

Service::Answer Service::search_audit(const Subject& caller, const v1::SearchAuditRequest& request) {
  if (Result<void> allowed = require_verb(caller, "audit"); !allowed) return fail(allowed);
  if (Result<void> good = check_search(request); !good) return fail(good);
  AuditQuery query{.since_wall_ns = request.since_wall_s() * kNsPerS,
                   .until_wall_ns = request.until_wall_s() == 0 ? INT64_MAX : request.until_wall_s() * kNsPerS,
                   .kinds = {request.kinds().begin(), request.kinds().end()},
                   .user = request.user(),
                   .node_ids = {},
                   .session_id = request.session_id(),
                   .limit = request.limit() == 0 ? kDefaultEvents : std::min(request.limit(), kMaxEvents),
                   .page_token = request.page_token(),
                   .is_ascending = request.ascending()};
  if (!request.node().empty()) {
    Result<std::vector<std::string>> ids = node_ids_of(request.node());
    if (!ids) return fail(ids);
    query.node_ids = std::move(*ids);
  }
  Result<Page<AuditEvent>> page = store_->search_audit(query);
  if (!page) return fail(page);
  v1::Response response;
  v1::SearchAuditResponse& found = *response.mutable_search_audit();
  found.set_next_page_token(page->next_page_token);
  for (AuditEvent& event : page->rows) *found.add_events() = std::move(event);
  return response;
}

Service::Answer Service::read_audit_tree(const Subject& caller, const v1::ReadAuditTreeRequest& request) {
  if (Result<void> allowed = require_verb(caller, "audit"); !allowed) return fail(allowed);
  if (request.prove_size() > kMaxPaths)
    return fail(Errc::kInvalid, fmt::format("paths of {} events, at most {}", request.prove_size(), kMaxPaths));
  Result<SignedHead> head = sign_audit_head();
  if (!head) return fail(Errc::kInternal, head.error().message);
  const Result<std::vector<std::string>> leaves =
      store_->audit_leaves(request.from(), std::min(request.count(), kMaxLeaves));
  if (!leaves) return fail(leaves);
  v1::Response response;
  v1::ReadAuditTreeResponse& tree = *response.mutable_read_audit_tree();
  tree.set_signer(keys_->signer_certificate());
  for (const std::string& leaf : *leaves) tree.mutable_leaves()->append(leaf);
  for (const uint64_t leaf : request.prove()) {
    const Result<std::vector<std::string>> path = store_->audit_path(leaf, head->size);
    if (!path) return fail(path);
    std::string& joined = *tree.add_paths();
    for (const std::string& hash : *path) joined += hash;
  }
  tree.set_checkpoint(std::move(head->note));
  return response;
}

Result<SignedHead> Service::sign_audit_head() {
  Result<SignedHead> head = audit_head_.sign();
  if (!head) log_.error("audit.altered", kv_error(head.error()));
  return head;
}

// What cannot be had is left out, and said to whoever verifies: the recording is evidence without it.
void Service::add_audit_inclusion(const std::string& session_id) {
  const Result<std::string> root = recordings_->root_to_prove(session_id);
  if (!root || root->empty()) return;
  const Result<Page<AuditEvent>> events =
      store_->search_audit({.kinds = {"session.end"}, .session_id = session_id, .is_ascending = true});
  if (!events) return;
  for (const AuditEvent& event : events->rows) {
    const auto named = event.fields().find("root");
    if (named == event.fields().end() || named->second != *root) continue;
    const Result<SignedHead> head = sign_audit_head();
    const Result<std::vector<std::string>> path =
        head ? store_->audit_path(event.leaf(), head->size) : Result<std::vector<std::string>>(fail(head));
    if (!path) return;
    recorder::AuditInclusion inclusion;
    inclusion.set_entry(recorder::audit_entry(event));
    inclusion.set_leaf(event.leaf());
    for (const std::string& hash : *path) inclusion.mutable_path()->append(hash);
    inclusion.set_head(head->note);
    if (Result<void> added = recordings_->add_inclusion(session_id, inclusion); !added)
      log_.warn("recording.unproved", kv("session", session_id), kv_error(added.error()));
    return;
  }
}

}  // namespace cairn::auth
