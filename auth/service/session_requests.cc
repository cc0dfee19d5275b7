#include <algorithm>

#include <fmt/format.h>

#include "auth/access/names.h"
#include "auth/service/audit_events.h"
#include "auth/service/service.h"
#include "base/bytes.h"

namespace cairn::auth {
namespace {

constexpr uint32_t kDefaultSessions = 50;
constexpr uint32_t kMaxSessions = 1000;
constexpr uint32_t kDefaultReadBytes = 262'144;
constexpr uint32_t kMaxReadBytes = 1 << 20;
constexpr size_t kMinPrefixChars = 4;
constexpr size_t kUuidChars = 36;
constexpr size_t kMaxRecordingsRemembered = 1000;
constexpr size_t kMaxPurposeChars = 32;
constexpr std::string_view kWordChars = "abcdefghijklmnopqrstuvwxyz0123456789";

AuditEvent session_event(const Subject& node, const v1::AuthorizeSessionRequest& request, const std::string& user,
                         std::string_view kind, bool success, std::string_view message) {
  AuditEvent event = event_by(node, kind, success, message,
                              {{"login", request.login()}, {"client_address", request.client_address()}});
  event.set_user(user);
  event.set_session_id(request.session_id());
  return event;
}

}  // namespace

Service::Answer Service::authorize_session(const Subject& caller, const v1::AuthorizeSessionRequest& request) {
  if (const auto allowed = authorize(caller, ServeSessions{}, *store_); !allowed) return fail(allowed);
  if (!is_uuid(request.session_id())) return fail(Errc::kInvalid, "session_id is no UUID");
  if (Result<void> good = check_login(request.login()); !good) return fail(good);
  if (Result<void> good = check_text("client_address", request.client_address(), 128); !good) return fail(good);
  const Result<SshCertificateView> certificate =
      issuer_->authorities().ssh_users().verify(request.ssh_certificate(), clock_->wall_s());
  const std::string user = certificate ? certificate->key_id : "";
  Answer granted = certificate ? grant_session(caller, request, user) : Answer(fail(certificate));
  if (granted || (granted.error().code != Errc::kDenied && granted.error().code != Errc::kInvalid)) return granted;
  if (Result<void> noted = deny_session(caller, request, user, granted.error()); !noted) return fail(noted);
  return fail(Errc::kDenied, granted.error().message);
}

Service::Answer Service::grant_session(const Subject& caller, const v1::AuthorizeSessionRequest& request,
                                       const std::string& user) {
  const Subject person{.kind = Subject::Kind::kUser, .name = user, .id = {}};
  if (Result<void> known = recognise(person); !known) return fail(known);
  const Result<HostRecord> host = store_->find_host(caller.id);
  if (!host) return fail(host);
  const StartSession wanted{.login = request.login(), .node = host->node};
  const Result<Grant> grant = authorize(person, wanted, *store_);
  if (!grant) return fail(grant);

  const Result<std::string> certificate =
      issuer_->recording_certificate(request.session_id(), caller.id, request.recording_key());
  if (!certificate) return fail(certificate, "recording_key");

  SessionRecord record;
  record.authorized_wall_ns = clock_->wall_ns();
  record.session.set_id(request.session_id());
  record.session.set_user(user);
  record.session.set_login(request.login());
  record.session.set_node_id(caller.id);
  record.session.set_node_name(host->node.name());
  record.session.set_client_address(request.client_address());
  record.session.set_start_wall_s(clock_->wall_s());
  record.node_labels.emplace(host->node.labels().begin(), host->node.labels().end());
  const Result<std::vector<v1::Role>> roles = store_->roles_of(user);
  if (!roles) return fail(roles);
  std::vector<std::string>& role_names = record.user_roles.emplace();
  for (const v1::Role& role : *roles) role_names.push_back(role.name());
  const std::vector<std::string> recipients = keys_->recipients();
  record.keys_for = ClusterKeys::text_of(recipients);
  const Result<KeepPromise> promise = retention_->promise(record);
  if (!promise) return fail(promise);
  record.promise = *promise;
  AuditEvent event = session_event(caller, request, user, "session.start", true,
                                   fmt::format("{} may log in as {} on {}", user, request.login(), host->node.name()));
  if (Result<void> added = store_->add_session(record, at(clock_->wall_ns(), std::move(event))); !added)
    return fail(added);
  v1::Response response;
  v1::AuthorizeSessionResponse& answer = *response.mutable_authorize_session();
  answer.set_user(user);
  *answer.mutable_policy() = grant->recording;
  answer.mutable_forwards()->Add(grant->forwards.begin(), grant->forwards.end());
  answer.set_recording_certificate(*certificate);
  for (const std::string& recipient : recipients) answer.add_recipients(recipient);
  return response;
}

Result<void> Service::deny_session(const Subject& caller, const v1::AuthorizeSessionRequest& request,
                                   const std::string& user, const Error& why) {
  log_.warn("session.denied", kv("user", user), kv("login", request.login()), kv("node", caller.name),
            kv("reason", why.message));
  AuditEvent event = session_event(caller, request, user, "session.denied", false, why.message);
  return store_->append_audit(at(clock_->wall_ns(), std::move(event)));
}

// Who may not see everybody's sessions gets their own; asking for another person's by name is refused.
Result<void> Service::limit_to_visible(const Subject& caller, SessionQuery& query) {
  const Result<Grant> all = authorize(caller, SeeSession{.user = query.user}, *store_);
  if (!all && (all.error().code != Errc::kDenied || !query.user.empty() || caller.kind != Subject::Kind::kUser))
    return fail(all);
  if (!all) query.user = caller.name;
  return {};
}

Service::Answer Service::list_sessions(const Subject& caller, const v1::ListSessionsRequest& request) {
  SessionQuery query{.state = request.state(),
                     .user = request.user(),
                     .node_ids = {},
                     .begun_after_wall_ns = begun_after_wall_ns(),
                     .limit = request.limit() == 0 ? kDefaultSessions : std::min(request.limit(), kMaxSessions),
                     .page_token = request.page_token()};
  if (!request.node().empty()) {
    Result<std::vector<std::string>> ids = node_ids_of(request.node());
    if (!ids) return fail(ids);
    query.node_ids = std::move(*ids);
  }
  if (Result<void> limited = limit_to_visible(caller, query); !limited) return fail(limited);
  Result<Page<v1::Session>> page = store_->list_sessions(query);
  if (!page) return fail(page);
  v1::Response response;
  v1::ListSessionsResponse& list = *response.mutable_list_sessions();
  list.set_next_page_token(page->next_page_token);
  for (v1::Session& session : page->rows) {
    if (!session.recording_complete() && !session.has_deletion()) {
      // A damaged recording must not hide the list of the others.
      const RecordingState state = recordings_->state(session.id()).value_or(RecordingState());
      session.set_recording_bytes(state.bytes);
      session.set_recording_chunks(state.chunks);
    }
    *list.add_sessions() = std::move(session);
  }
  return response;
}

// A node that had no answer the last time, or comes back with what was deleted meanwhile: it may forget its copy, and
// that is on record.
Result<void> Service::note_late_upload(const Subject& caller, const std::string& session_id,
                                       Conversation& conversation) {
  const Result<SessionRecord> session = store_->find_session(session_id);
  if (!session) return fail(session);
  if (!session->session.has_deletion() || conversation.late_uploads.contains(session_id)) return {};
  AuditEvent event = event_by(caller, "recording.late", true,
                              fmt::format("{} had a recording that {}; it was told to forget it", caller.text(),
                                          deletion_text(session->session)));
  event.set_session_id(session_id);
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return noted;
  if (conversation.late_uploads.size() < kMaxRecordingsRemembered) conversation.late_uploads.insert(session_id);
  return {};
}

Service::Answer Service::open_upload(const Subject& caller, const v1::OpenUploadRequest& request,
                                     Conversation& conversation) {
  if (const auto allowed = authorize(caller, ServeSessions{}, *store_); !allowed) return fail(allowed);
  const Result<RecordingState> state = recordings_->open_upload(caller.id, request.session_id());
  if (!state) return fail(state);
  if (Result<void> noted = note_late_upload(caller, request.session_id(), conversation); !noted) return fail(noted);
  v1::Response response;
  response.mutable_open_upload()->set_durable_chunks(state->chunks);
  response.mutable_open_upload()->set_durable_bytes(state->bytes);
  response.mutable_open_upload()->set_complete(state->is_complete);
  return response;
}

Service::Answer Service::upload_chunk(const Subject& caller, const v1::UploadChunkRequest& request) {
  if (const auto allowed = authorize(caller, ServeSessions{}, *store_); !allowed) return fail(allowed);
  const Result<RecordingState> state =
      recordings_->upload(caller.id, request.session_id(), request.number(), request.chunk());
  if (!state) return fail(state);
  derivations_->grown(request.session_id());
  v1::Response response;
  response.mutable_upload_chunk()->set_durable_chunks(state->chunks);
  response.mutable_upload_chunk()->set_complete(state->is_complete);
  return response;
}

Service::Answer Service::upload_tail(const Subject& caller, const v1::UploadTailRequest& request) {
  if (const auto allowed = authorize(caller, ServeSessions{}, *store_); !allowed) return fail(allowed);
  const Result<uint64_t> stored = recordings_->upload_tail(caller.id, request);
  if (!stored) return fail(stored);
  v1::Response response;
  response.mutable_upload_tail()->set_offset(*stored);
  return response;
}

Result<std::string> Service::session_called(const std::string& prefix) {
  const bool is_hex = prefix.find_first_not_of("0123456789abcdef-") == std::string::npos;
  if (prefix.size() < kMinPrefixChars || prefix.size() > kUuidChars || !is_hex) {
    return fail(Errc::kInvalid, fmt::format("a session is named by its UUID, or by at least {} characters of its "
                                            "beginning; \"cairn sessions ls\" lists them",
                                            kMinPrefixChars));
  }
  constexpr uint32_t kShown = 3;
  const Result<std::vector<std::string>> ids = store_->session_ids(prefix, kShown);
  if (!ids) return fail(ids);
  if (ids->empty())
    return fail(Errc::kNotFound, fmt::format("no session {}; \"cairn sessions ls\" lists them", prefix));
  if (ids->size() > 1) {
    return fail(Errc::kInvalid,
                fmt::format("several sessions begin with {}: {}; give more of it", prefix, fmt::join(*ids, ", ")));
  }
  return ids->front();
}

Result<v1::Session> Service::visible_session(const Subject& caller, const std::string& prefix) {
  const Result<std::string> id = session_called(prefix);
  if (!id) return fail(id);
  Result<SessionRecord> record = store_->find_session(*id);
  if (!record) return fail(record);
  if (const auto allowed = authorize(caller, SeeSession{.user = record->session.user()}, *store_); !allowed)
    return fail(allowed);
  if (record->session.has_deletion())
    return fail(Errc::kNotFound, fmt::format("the recording of session {} {}", *id, deletion_text(record->session)));
  return std::move(record->session);
}

// On record before the first byte is given, once in a conversation for each purpose; none is part of any other.
Result<void> Service::note_reading(const Subject& caller, const v1::Session& session, const std::string& purpose,
                                   const std::string& form, Conversation& conversation) {
  for (const std::string& word : {purpose, form}) {
    if (word.size() > kMaxPurposeChars || word.find_first_not_of(kWordChars) != std::string::npos)
      return fail(Errc::kInvalid,
                  fmt::format("purpose and form are words of at most {} of a-z and 0-9", kMaxPurposeChars));
  }
  std::set<std::string>& noted_before = conversation.recordings_read;
  const std::string reading = fmt::format("{} {} {}", session.id(), purpose, form);
  const auto any = noted_before.lower_bound(session.id());
  const bool is_part = purpose.empty() && any != noted_before.end() && any->starts_with(session.id());
  if (is_part || noted_before.contains(reading)) return {};
  AuditEvent event = event_by(
      caller, "recording.read", true,
      fmt::format("{} read the recording of {}'s session on {}", caller.text(), session.user(), session.node_name()),
      {{"owner", session.user()}});
  if (!purpose.empty()) (*event.mutable_fields())["purpose"] = purpose;
  if (!form.empty()) (*event.mutable_fields())["form"] = form;
  event.set_session_id(session.id());
  event.set_node_id(session.node_id());
  event.set_node_name(session.node_name());
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return noted;
  if (noted_before.size() < kMaxRecordingsRemembered) noted_before.insert(reading);
  return {};
}

Service::Answer Service::read_recording(const Subject& caller, const v1::ReadRecordingRequest& request,
                                        Conversation& conversation) {
  const Result<v1::Session> visible = visible_session(caller, request.session_id());
  if (!visible) return fail(visible);
  const v1::Session& session = *visible;
  const std::string& id = session.id();
  if (Result<void> noted = note_reading(caller, session, request.purpose(), request.form(), conversation); !noted)
    return fail(noted);
  // Before the proof is read, which must not change between two reads of it.
  const Result<RecordingState> stored = recordings_->state(id);
  if (!stored) return fail(stored);
  if (stored->is_complete && (request.offset() == 0 || request.offset() == stored->bytes)) add_audit_inclusion(id);
  const size_t limit = request.limit() == 0 ? kDefaultReadBytes : std::min(request.limit(), kMaxReadBytes);
  Result<Recordings::Part> part = recordings_->read(id, request.layout(), request.offset(), limit);
  if (!part) return fail(part);
  const Result<RecordingState> state = recordings_->state(id);
  if (!state) return fail(state);
  v1::Response response;
  v1::ReadRecordingResponse& read = *response.mutable_read_recording();
  read.set_session_id(id);
  read.set_data(std::move(part->bytes));
  read.set_layout(part->layout);
  const Result<uint64_t> proof_bytes = state->is_complete ? recordings_->proof_bytes(id) : Result<uint64_t>(0);
  if (!proof_bytes) return fail(proof_bytes);
  read.set_size((state->is_complete ? part->recording_bytes : state->bytes) + *proof_bytes);
  // Of a node that was removed nothing more can come, complete or not.
  read.set_complete(state->is_complete || session.end_wall_s() != 0);
  if (request.offset() == 0) {
    Result<std::string> secret = recordings_->secret(id);
    // Encrypted to others, or not at all: whoever asks has the key, or needs none.
    if (secret) read.set_secret(std::move(*secret));
    Result<std::string> later = recordings_->later_keys(id);
    if (!later) return fail(later);
    read.set_keys(std::move(*later));
  }
  if (!state->is_complete && request.offset() + read.data().size() >= state->bytes) {
    Result<StoredTail> tail = recordings_->tail(id);
    if (!tail) return fail(tail);
    const uint64_t known = request.tail_chunk() == tail->chunk ? request.tail_offset() : 0;
    read.set_tail_chunk(tail->chunk);
    if (known < tail->pieces.size()) read.set_tail(tail->pieces.substr(known));
  }
  return response;
}

}  // namespace cairn::auth
