#include "auth/service/service.h"

#include <fmt/format.h>

namespace cairn::auth {
namespace {

// A session that auth has allowed and whose recording has not begun after this time never will, most likely: it is no
// longer listed. Should the recording come all the same, the session is back.
constexpr int64_t kUnbegunNs = 300'000'000'000;

std::string name_of(const v1::Request& request) {
  const auto* field = v1::Request::descriptor()->FindFieldByNumber(static_cast<int>(request.kind_case()));
  return field == nullptr ? "unknown" : field->name();
}

v1::ErrorCode code_of(const std::error_code& code) {
  if (code.category() != errc_category()) return v1::ERROR_CODE_INTERNAL;
  switch (static_cast<Errc>(code.value())) {
    case Errc::kInvalid:
    case Errc::kCorrupt:
    case Errc::kTruncated:
    case Errc::kTooLarge:
    case Errc::kUnsupported: return v1::ERROR_CODE_INVALID;
    case Errc::kNotFound: return v1::ERROR_CODE_NOT_FOUND;
    case Errc::kAlreadyExists: return v1::ERROR_CODE_ALREADY_EXISTS;
    case Errc::kDenied:
    case Errc::kUnauthenticated:
    case Errc::kExpired: return v1::ERROR_CODE_DENIED;
    case Errc::kUnavailable:
    case Errc::kTimeout:
    case Errc::kClosed:
    case Errc::kSpoolFull: return v1::ERROR_CODE_UNAVAILABLE;
    case Errc::kInternal: return v1::ERROR_CODE_INTERNAL;
  }
  return v1::ERROR_CODE_INTERNAL;
}

}  // namespace

v1::Response done() {
  v1::Response response;
  response.mutable_done();
  return response;
}

v1::Response refusal(const Error& error) {
  v1::Response response;
  response.mutable_error()->set_code(code_of(error.code));
  response.mutable_error()->set_message(error.message);
  return response;
}

v1::Response Service::answer(const Subject& caller, const v1::Request& request, Conversation& conversation) {
  if (const Result<void> known = recognise(caller); !known) {
    conversation.presence.reset();
    return refusal(known.error());
  }
  Answer answered = dispatch(caller, request, conversation);
  if (answered) return std::move(*answered);
  v1::Response refused = refusal(answered.error());
  const v1::ErrorCode code = refused.error().code();
  if (code == v1::ERROR_CODE_INTERNAL || code == v1::ERROR_CODE_UNAVAILABLE)
    log_.error("request.failed", kv("by", caller.text()), kv("kind", name_of(request)), kv_error(answered.error()));
  return refused;
}

Result<void> Service::recognise(const Subject& caller) {
  if (caller.kind == Subject::Kind::kRoot) return {};
  if (caller.kind == Subject::Kind::kUser) {
    const Result<UserRecord> user = store_->find_user(caller.name);
    if (user) return {};
    if (user.error().code != Errc::kNotFound) return fail(user);
    return fail(Errc::kDenied, fmt::format("user \"{}\" has been removed from the cluster; ask an admin", caller.name));
  }
  const Result<HostType> known = store_->type_of_host(caller.id);
  const HostType type = caller.kind == Subject::Kind::kProxy ? HostType::kProxy : HostType::kNode;
  if (known && *known == type) return {};
  if (!known && known.error().code != Errc::kNotFound) return fail(known);
  return fail(Errc::kDenied,
              fmt::format("{} has been removed from the cluster; join again with a new token", caller.text()));
}

Service::Answer Service::dispatch(const Subject& caller, const v1::Request& request, Conversation& conversation) {
  switch (request.kind_case()) {
    case v1::Request::kStatus: return status(caller);
    case v1::Request::kListNodes: return list_nodes(caller, request.list_nodes());
    case v1::Request::kReadTrust: return read_trust();
    case v1::Request::kHeartbeat: return heartbeat(caller, request.heartbeat());
    case v1::Request::kReportPresence: return report_presence(caller, request.report_presence(), conversation);
    case v1::Request::kRenew: return renew(caller, request.renew());
    case v1::Request::kAuthorizeSession: return authorize_session(caller, request.authorize_session());
    case v1::Request::kAppendAudit: return append_audit(caller, request.append_audit());
    case v1::Request::kOpenUpload: return open_upload(caller, request.open_upload(), conversation);
    case v1::Request::kUploadChunk: return upload_chunk(caller, request.upload_chunk());
    case v1::Request::kUploadTail: return upload_tail(caller, request.upload_tail());
    case v1::Request::kListSessions: return list_sessions(caller, request.list_sessions());
    case v1::Request::kReadRecording: return read_recording(caller, request.read_recording(), conversation);
    case v1::Request::kSearchRecordings: return search_recordings(caller, request.search_recordings());
    case v1::Request::kFindMoment: return find_moment(caller, request.find_moment(), conversation);
    case v1::Request::kSearchAudit: return search_audit(caller, request.search_audit());
    case v1::Request::KIND_NOT_SET:
      return fail(Errc::kInvalid, "unknown kind of request; this cairn-auth is older than who asks");
    default: return dispatch_to_people(caller, request);
  }
}

Service::Answer Service::dispatch_to_people(const Subject& caller, const v1::Request& request) {
  switch (request.kind_case()) {
    case v1::Request::kCreateToken: return create_token(caller, request.create_token());
    case v1::Request::kListTokens: return list_tokens(caller);
    case v1::Request::kDeleteToken: return delete_token(caller, request.delete_token());
    case v1::Request::kPutUser: return put_user(caller, request.put_user());
    case v1::Request::kListUsers: return list_users(caller);
    case v1::Request::kDeleteUser: return delete_user(caller, request.delete_user());
    case v1::Request::kSetPassword: return set_password(caller, request.set_password());
    case v1::Request::kPutRole: return put_role(caller, request.put_role());
    case v1::Request::kListRoles: return list_roles(caller);
    case v1::Request::kDeleteRole: return delete_role(caller, request.delete_role());
    case v1::Request::kDeleteNode: return delete_node(caller, request.delete_node());
    case v1::Request::kReadAuditTree: return read_audit_tree(caller, request.read_audit_tree());
    default: return dispatch_to_archivists(caller, request);
  }
}

Service::Answer Service::dispatch_to_archivists(const Subject& caller, const v1::Request& request) {
  switch (request.kind_case()) {
    case v1::Request::kHoldRecording: return hold_recording(caller, request.hold_recording());
    case v1::Request::kReleaseRecording: return release_recording(caller, request.release_recording());
    case v1::Request::kDeleteRecording: return delete_recording(caller, request.delete_recording());
    case v1::Request::kPutRetentionRule: return put_retention_rule(caller, request.put_retention_rule());
    case v1::Request::kListRetentionRules: return list_retention_rules(caller);
    case v1::Request::kDeleteRetentionRule: return delete_retention_rule(caller, request.delete_retention_rule());
    case v1::Request::kReapplyRetention: return reapply_retention(caller, request.reapply_retention());
    case v1::Request::kRotateRecordingKey: return rotate_recording_key(caller);
    case v1::Request::kRewrapRecordings: return rewrap_recordings(caller, request.rewrap_recordings());
    case v1::Request::kDropRecordingKeys: return drop_recording_keys(caller);
    default: return fail(Errc::kInternal, "a request without a handler");
  }
}

Result<void> Service::require_verb(const Subject& caller, const std::string& verb) {
  const Result<Grant> allowed = authorize(caller, Administer{.verb = verb}, *store_);
  if (!allowed) return fail(allowed);
  return {};
}

Result<std::vector<std::string>> Service::node_ids_of(const std::string& name) {
  const Result<std::vector<HostRecord>> hosts = store_->hosts_called(name);
  if (!hosts) return fail(hosts);
  std::vector<std::string> ids;
  for (const HostRecord& host : *hosts) ids.push_back(host.node.id());
  if (ids.empty()) ids.push_back(name);
  return ids;
}

void Service::set_online(v1::Node& node) const {
  node.set_online(presence_.is_connected(node.id()));
  if (node.online()) node.set_last_seen_wall_s(clock_->wall_s());
}

int64_t Service::begun_after_wall_ns() const { return clock_->wall_ns() - kUnbegunNs; }

}  // namespace cairn::auth
