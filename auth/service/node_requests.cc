#include <fmt/format.h>

#include "auth/access/names.h"
#include "auth/service/audit_events.h"
#include "auth/service/service.h"

namespace cairn::auth {
namespace {

constexpr const char* kRevokeKind = "node.revoke";
constexpr uint32_t kMaxRevocations = 1000;

Result<void> check_heartbeat(const v1::HeartbeatRequest& beat) {
  if (Result<void> good = check_labels(beat.labels()); !good) return good;
  for (const std::string* text : {&beat.version(), &beat.kernel(), &beat.capture_tier(), &beat.capture_error()}) {
    if (Result<void> good = check_text("heartbeat", *text); !good) return good;
  }
  if (beat.hooks_size() > static_cast<int>(kMaxListEntries))
    return fail(Errc::kInvalid, fmt::format("{} hooks, at most {}", beat.hooks_size(), kMaxListEntries));
  for (const std::string& hook : beat.hooks()) {
    if (Result<void> good = check_text("hook", hook, 64); !good) return good;
  }
  return {};
}

std::string_view type_of(HostType type) { return type == HostType::kProxy ? "proxy" : "node"; }

}  // namespace

Service::Answer Service::heartbeat(const Subject& caller, const v1::HeartbeatRequest& request) {
  if (const auto allowed = authorize(caller, ServeSessions{}, *store_); !allowed) return fail(allowed);
  if (Result<void> good = check_heartbeat(request); !good) return fail(good);
  if (Result<void> noted = store_->heartbeat(caller.id, request, clock_->wall_s()); !noted) return fail(noted);
  return done();
}

Service::Answer Service::report_presence(const Subject& caller, const v1::ReportPresenceRequest& request,
                                         Conversation& conversation) {
  if (const auto allowed = authorize(caller, ReportPresence{}, *store_); !allowed) return fail(allowed);
  if (!conversation.presence) conversation.presence = std::make_unique<Presence::Report>(&presence_);
  for (const std::string& id : request.connected()) {
    if (Result<void> added = conversation.presence->add(id); !added) return fail(added);
  }
  for (const std::string& id : request.gone()) conversation.presence->remove(id);
  std::vector<std::string> seen(request.connected().begin(), request.connected().end());
  seen.insert(seen.end(), request.gone().begin(), request.gone().end());
  if (Result<void> noted = store_->set_seen(seen, clock_->wall_s()); !noted) return fail(noted);
  return done();
}

Service::Answer Service::renew(const Subject& caller, const v1::RenewRequest& request) {
  if (const auto allowed = authorize(caller, RenewCertificate{}, *store_); !allowed) return fail(allowed);
  const Result<HostRecord> host = store_->find_host(caller.id);
  if (!host) return fail(host);
  Result<std::string> certificate = issuer_->host_certificate(*host, request.tls_public_key());
  if (!certificate) return fail(certificate);
  const std::string_view type = type_of(host->type);
  AuditEvent event = event_by(caller, fmt::format("{}.renew", type), true,
                              fmt::format("{} {} renewed its certificate", type, host->node.name()));
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  v1::Response response;
  response.mutable_renew()->set_certificate(std::move(*certificate));
  *response.mutable_renew()->mutable_authorities() = issuer_->authorities().public_parts();
  return response;
}

Service::Answer Service::append_audit(const Subject& caller, const v1::AppendAuditRequest& request) {
  if (const auto allowed = authorize(caller, ServeSessions{}, *store_); !allowed) return fail(allowed);
  if (Result<void> good = check_event_of_node(request.event()); !good) return fail(good);
  if (!request.event().session_id().empty()) {
    const Result<SessionRecord> session = store_->find_session(request.event().session_id());
    if (!session && session.error().code != Errc::kNotFound) return fail(session);
    if (session && session->session.node_id() != caller.id)
      return fail(Errc::kDenied, fmt::format("session {} is not of this node", request.event().session_id()));
  }
  AuditEvent event = request.event();
  event.clear_id();
  event.set_node_id(caller.id);
  event.set_node_name(caller.name);
  (*event.mutable_fields())["by"] = caller.text();
  if (Result<void> noted = store_->append_audit(at(clock_->wall_ns(), std::move(event))); !noted) return fail(noted);
  return done();
}

Service::Answer Service::list_nodes(const Subject& caller, const v1::ListNodesRequest& request) {
  Result<std::vector<HostRecord>> hosts =
      request.name().empty() ? store_->list_hosts(HostType::kNode) : store_->hosts_called(request.name());
  if (!hosts) return fail(hosts);
  std::vector<v1::Node> nodes;
  for (HostRecord& host : *hosts) {
    if (host.type == HostType::kNode) nodes.push_back(std::move(host.node));
  }
  Result<std::vector<v1::Node>> visible = visible_nodes(caller, std::move(nodes), *store_);
  if (!visible) return fail(visible);
  v1::Response response;
  response.mutable_list_nodes();
  for (v1::Node& node : *visible) {
    set_online(node);
    *response.mutable_list_nodes()->add_nodes() = std::move(node);
  }
  return response;
}

Service::Answer Service::delete_node(const Subject& caller, const v1::DeleteNodeRequest& request) {
  if (Result<void> allowed = require_verb(caller, "nodes"); !allowed) return fail(allowed);
  const Result<std::vector<HostRecord>> hosts = store_->hosts_called(request.node());
  if (!hosts) return fail(hosts);
  if (hosts->empty())
    return fail(Errc::kNotFound, fmt::format("no node \"{}\"; \"cairn nodes ls\" lists them", request.node()));
  if (hosts->size() > 1) {
    std::vector<std::string> ids;
    for (const HostRecord& host : *hosts) ids.push_back(host.node.id());
    return fail(Errc::kInvalid, fmt::format("{} hosts are called \"{}\"; give one of the UUIDs {}", hosts->size(),
                                            request.node(), fmt::join(ids, ", ")));
  }
  const HostRecord& host = hosts->front();
  const std::string_view type = type_of(host.type);
  AuditEvent event = event_by(caller, fmt::format("{}.delete", type), true,
                              fmt::format("{} {} removed by {}", type, host.node.name(), caller.text()));
  event.set_node_id(host.node.id());
  event.set_node_name(host.node.name());
  Events events = at(clock_->wall_ns(), std::move(event));
  if (request.compromised_since_wall_s() > 0) {
    AuditEvent revoked = event_by(caller, kRevokeKind, true,
                                  fmt::format("what {} {} has signed since {} is not to be trusted", type,
                                              host.node.name(), format_utc(request.compromised_since_wall_s())),
                                  {{"since_wall_s", std::to_string(request.compromised_since_wall_s())}});
    revoked.set_node_id(host.node.id());
    revoked.set_node_name(host.node.name());
    revoked.set_wall_ns(clock_->wall_ns());
    events.push_back(std::move(revoked));
  }
  if (Result<void> deleted = store_->delete_host(host.node.id(), clock_->wall_s(), events); !deleted)
    return fail(deleted);
  log_.info("host.deleted", kv("type", type), kv("name", host.node.name()), kv("id", host.node.id()));
  return done();
}

// Certificates of sessions that began on a node after it was compromised: what the audit log says, looked up in the
// recordings themselves.
Result<std::vector<X509Authority::Revoked>> Service::revoked_certificates() {
  std::vector<X509Authority::Revoked> revoked;
  AuditQuery query{.kinds = {kRevokeKind}, .limit = kMaxRevocations};
  const Result<Page<AuditEvent>> revocations = store_->search_audit(query);
  if (!revocations) return fail(revocations);
  for (const AuditEvent& event : revocations->rows) {
    const auto since = event.fields().find("since_wall_s");
    if (since == event.fields().end()) continue;
    const int64_t since_wall_s = std::strtoll(since->second.c_str(), nullptr, 10);
    SessionQuery sessions{.node_ids = {event.node_id()}, .limit = kMaxRevocations};
    do {
      const Result<Page<v1::Session>> page = store_->list_sessions(sessions);
      if (!page) return fail(page);
      for (const v1::Session& session : page->rows) {
        if (session.start_wall_s() < since_wall_s) continue;
        const Result<std::string> serial = recordings_->certificate_serial(session.id());
        if (serial && !serial->empty()) revoked.push_back({.serial = *serial, .since_wall_s = since_wall_s});
      }
      sessions.page_token = page->next_page_token;
    } while (!sessions.page_token.empty());
  }
  return revoked;
}

Service::Answer Service::read_trust() {
  const Result<std::vector<X509Authority::Revoked>> revoked = revoked_certificates();
  if (!revoked) return fail(revoked);
  Result<std::string> list = issuer_->authorities().hosts().revocations(*revoked, clock_->wall_s());
  if (!list) return fail(list);
  v1::Response response;
  response.mutable_read_trust()->set_authorities(issuer_->authorities().hosts().pem());
  response.mutable_read_trust()->set_revocations(std::move(*list));
  return response;
}

}  // namespace cairn::auth
