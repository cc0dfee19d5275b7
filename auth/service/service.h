#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "auth/access/authorize.h"
#include "auth/recordings/cluster_keys.h"
#include "auth/recordings/derivations.h"
#include "auth/recordings/recordings.h"
#include "auth/service/audit_head.h"
#include "auth/service/enrolment.h"
#include "auth/service/issuer.h"
#include "auth/service/presence.h"
#include "auth/service/recording_search.h"
#include "auth/service/retention.h"
#include "auth/store/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/auth.pb.h"

namespace cairn::auth {

// What is remembered between the requests of one connection.
struct Conversation {
  std::set<std::string> recordings_read;       // and what for; each is in the audit log once
  std::set<std::string> late_uploads;          // likewise
  std::unique_ptr<Presence::Report> presence;  // what a proxy says
};

// cairn-auth/1: what each request does. Every request is checked, authorized, carried out and audited here; how it came
// is the server's matter. Thread-safe; blocks on the disk: call it on a pool.
class Service {
 public:
  // What is handed in outlives it.
  //   data_dir  where the last signature of the audit log lies
  Service(Store* store, Recordings* recordings, ClusterKeys* keys, const Issuer* issuer, Enrolment* enrolment,
          Retention* retention, Derivations* derivations, const std::filesystem::path& data_dir, const Clock* clock,
          Log log)
      : audit_head_(data_dir / "audit.head", store, keys, clock),
        store_(store),
        recordings_(recordings),
        keys_(keys),
        issuer_(issuer),
        enrolment_(enrolment),
        retention_(retention),
        derivations_(derivations),
        clock_(clock),
        log_(std::move(log)) {}

  // The answer, refusals included. `caller` is who the connection's certificate or socket says; that they have not been
  // deleted since is checked here, each time. One request of a conversation at a time.
  v1::Response answer(const Subject& caller, const v1::Request& request, Conversation& conversation);

 private:
  using Answer = Result<v1::Response>;

  Result<void> recognise(const Subject& caller);
  Answer dispatch(const Subject& caller, const v1::Request& request, Conversation& conversation);
  Answer dispatch_to_people(const Subject& caller, const v1::Request& request);
  Answer dispatch_to_archivists(const Subject& caller, const v1::Request& request);

  // node_requests.cc
  Answer heartbeat(const Subject& caller, const v1::HeartbeatRequest& request);
  Answer report_presence(const Subject& caller, const v1::ReportPresenceRequest& request, Conversation& conversation);
  Answer renew(const Subject& caller, const v1::RenewRequest& request);
  Answer append_audit(const Subject& caller, const v1::AppendAuditRequest& request);
  Answer list_nodes(const Subject& caller, const v1::ListNodesRequest& request);
  Answer read_trust();
  Result<std::vector<X509Authority::Revoked>> revoked_certificates();
  Answer delete_node(const Subject& caller, const v1::DeleteNodeRequest& request);

  // session_requests.cc
  Answer authorize_session(const Subject& caller, const v1::AuthorizeSessionRequest& request);
  Answer grant_session(const Subject& caller, const v1::AuthorizeSessionRequest& request, const std::string& user);
  Result<void> deny_session(const Subject& caller, const v1::AuthorizeSessionRequest& request, const std::string& user,
                            const Error& why);
  Answer list_sessions(const Subject& caller, const v1::ListSessionsRequest& request);
  Answer open_upload(const Subject& caller, const v1::OpenUploadRequest& request, Conversation& conversation);
  Result<void> note_late_upload(const Subject& caller, const std::string& session_id, Conversation& conversation);
  Answer upload_chunk(const Subject& caller, const v1::UploadChunkRequest& request);
  Answer upload_tail(const Subject& caller, const v1::UploadTailRequest& request);
  Answer read_recording(const Subject& caller, const v1::ReadRecordingRequest& request, Conversation& conversation);
  Result<std::string> session_called(const std::string& prefix);
  //   fails  kDenied: the caller may not see it. kNotFound: there is none, or its recording has been deleted
  Result<v1::Session> visible_session(const Subject& caller, const std::string& prefix);
  Result<void> limit_to_visible(const Subject& caller, SessionQuery& query);
  Result<void> note_reading(const Subject& caller, const v1::Session& session, const std::string& purpose,
                            const std::string& form, Conversation& conversation);

  // search_requests.cc
  Answer search_recordings(const Subject& caller, const v1::SearchRecordingsRequest& request);
  Answer find_moment(const Subject& caller, const v1::FindMomentRequest& request, Conversation& conversation);
  Result<SessionQuery> query_of_search(const Subject& caller, const v1::SearchRecordingsRequest& request);
  Result<void> search_sessions(SessionQuery query, SearchPosition position, RecordingSearch& search,
                               std::string& next_page_token);

  // people_requests.cc
  Answer status(const Subject& caller);
  Answer put_user(const Subject& caller, const v1::PutUserRequest& request);
  Answer list_users(const Subject& caller);
  Answer delete_user(const Subject& caller, const v1::DeleteUserRequest& request);
  Answer set_password(const Subject& caller, const v1::SetPasswordRequest& request);
  Answer put_role(const Subject& caller, const v1::PutRoleRequest& request);
  Answer list_roles(const Subject& caller);
  Answer delete_role(const Subject& caller, const v1::DeleteRoleRequest& request);

  // token_requests.cc
  Answer create_token(const Subject& caller, const v1::CreateTokenRequest& request);
  Answer list_tokens(const Subject& caller);
  Answer delete_token(const Subject& caller, const v1::DeleteTokenRequest& request);

  // retention_requests.cc
  Answer hold_recording(const Subject& caller, const v1::HoldRecordingRequest& request);
  Answer release_recording(const Subject& caller, const v1::ReleaseRecordingRequest& request);
  Answer delete_recording(const Subject& caller, const v1::DeleteRecordingRequest& request);
  Answer put_retention_rule(const Subject& caller, const v1::PutRetentionRuleRequest& request);
  Answer list_retention_rules(const Subject& caller);
  Answer delete_retention_rule(const Subject& caller, const v1::DeleteRetentionRuleRequest& request);
  Answer reapply_retention(const Subject& caller, const v1::ReapplyRetentionRequest& request);
  Result<v1::Session> recording_named(const std::string& prefix);

  // key_requests.cc
  Answer rotate_recording_key(const Subject& caller);
  Answer rewrap_recordings(const Subject& caller, const v1::RewrapRecordingsRequest& request);
  Answer drop_recording_keys(const Subject& caller);

  // audit_requests.cc
  Answer read_audit_tree(const Subject& caller, const v1::ReadAuditTreeRequest& request);
  Answer search_audit(const Subject& caller, const v1::SearchAuditRequest& request);
  Result<SignedHead> sign_audit_head();
  // Into the proof of a complete recording: where its seal stands in the audit log.
  void add_audit_inclusion(const std::string& session_id);

  Result<void> require_verb(const Subject& caller, const std::string& verb);
  // UUIDs of the hosts of this name or UUID; a UUID of a host that is gone stands for itself.
  Result<std::vector<std::string>> node_ids_of(const std::string& name);
  void set_online(v1::Node& node) const;
  int64_t begun_after_wall_ns() const;

  Presence presence_;
  AuditHeadSigner audit_head_;
  Store* store_;
  Recordings* recordings_;
  ClusterKeys* keys_;
  const Issuer* issuer_;
  Enrolment* enrolment_;
  Retention* retention_;
  Derivations* derivations_;
  const Clock* clock_;
  Log log_;
};

v1::Response done();
// An Error response of the code that stands for `error`.
v1::Response refusal(const Error& error);

}  // namespace cairn::auth
