// What every backend of Store must do. A new backend adds itself to the list at the end.
#include <gmock/gmock.h>

#include <thread>

#include "auth/tests/auth_fixture.h"
#include "recorder/proof/audit_entry.h"
#include "recorder/proof/merkle.h"

namespace cairn::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Backend {
  const char* name;
  std::function<std::unique_ptr<Store>(const std::filesystem::path&, const Clock&)> open;
};

class StoreConformance : public testing::TestWithParam<Backend> {
 protected:
  void reopen() {
    store_.reset();
    store_ = GetParam().open(folder_.path(), clock_);
  }

  static Events event(const std::string& kind, const std::string& user = "alice") {
    AuditEvent made;
    made.set_kind(kind);
    made.set_user(user);
    made.set_wall_ns(1);
    made.set_success(true);
    return {made};
  }
  static UserRecord user(const std::string& name, std::vector<std::string> roles = {}, std::string hash = "") {
    UserRecord record;
    record.user.set_name(name);
    record.user.mutable_roles()->Add(roles.begin(), roles.end());
    record.user.set_created_wall_s(5);
    record.password_hash = std::move(hash);
    return record;
  }
  static v1::Token token(const std::string& name, uint32_t uses = 0, int64_t expires_wall_s = 1000) {
    v1::Token made;
    made.set_name(name);
    made.set_type(v1::TOKEN_TYPE_NODE);
    made.set_expires_wall_s(expires_wall_s);
    made.set_uses_left(uses);
    made.set_unlimited(uses == 0);
    (*made.mutable_labels())["env"] = "prod";
    made.set_created_by("user adam");
    return made;
  }
  static JoinRecord host(const std::string& name, const std::string& secret, int64_t now_wall_s = 10) {
    return {.type = HostType::kNode,
            .id = random_uuid(),
            .name = name,
            .labels = {{"env", "mine"}, {"rack", "7"}},
            .ssh_host_key = kUserKey,
            .version = "0.1.0",
            .key_sha256 = random_uuid(),
            .secret_sha256 = secret,
            .now_wall_s = now_wall_s};
  }
  // A session authorized at `ns`, on a node called by the id's first character.
  SessionRecord add_session(int64_t ns, const std::string& user, const std::string& node) {
    SessionRecord record;
    record.authorized_wall_ns = ns;
    record.session.set_id(random_uuid());
    record.session.set_user(user);
    record.session.set_login("deploy");
    record.session.set_node_id(node);
    record.session.set_node_name("name of " + node);
    record.session.set_client_address("192.0.2.1:1");
    record.session.set_start_wall_s(ns / kNsPerS);
    EXPECT_TRUE(store_->add_session(record, event("session.start")));
    return record;
  }
  std::vector<std::string> kinds() {
    std::vector<std::string> found;
    AuditQuery query{.limit = 1000, .is_ascending = true};
    const auto page = store_->search_audit(query).value();
    for (const AuditEvent& seen : page.rows) found.push_back(seen.kind());
    return found;
  }

  FakeClock clock_;
  TempFolder folder_;
  std::unique_ptr<Store> store_ = GetParam().open(folder_.path(), clock_);
};

// ---- users and roles

TEST_P(StoreConformance, BeginsWithThreeRoles) {
  std::vector<std::string> roles;
  const auto page = store_->list_roles().value();
  for (const v1::Role& role : page)
    roles.push_back(fmt::format("{}: {} {}", role.name(), fmt::join(role.verbs(), ","), role.node_labels().size()));
  EXPECT_THAT(roles, ElementsAre("access:  1", "admin: * 0", "auditor: audit,recordings 0"));
}

TEST_P(StoreConformance, KeepsUsersAcrossARestart) {
  ASSERT_TRUE(store_->put_user(user("alice", {"admin", "access"}, "hash"), event("user.put")));
  reopen();
  const UserRecord found = store_->find_user("alice").value();
  EXPECT_THAT(found.user.roles(), ElementsAre("access", "admin"));
  EXPECT_EQ(found.password_hash, "hash");
  EXPECT_EQ(found.user.created_wall_s(), 5);
  EXPECT_EQ(store_->roles_of("alice")->size(), 2U);
  EXPECT_EQ(store_->list_users()->size(), 1U);
}

TEST_P(StoreConformance, ReplacesRolesAndKeepsThePasswordThatIsNotGiven) {
  ASSERT_TRUE(store_->put_user(user("alice", {"admin"}, "hash"), {}));
  ASSERT_TRUE(store_->put_user(user("alice", {"access"}), {}));
  const UserRecord found = store_->find_user("alice").value();
  EXPECT_THAT(found.user.roles(), ElementsAre("access"));
  EXPECT_EQ(found.password_hash, "hash");
}

TEST_P(StoreConformance, KeepsNeitherUserNorEventWhenARoleIsUnknown) {
  const Result<void> put = store_->put_user(user("alice", {"admin", "ghost"}), event("user.put"));
  EXPECT_EQ(code_of(put), Errc::kNotFound);
  EXPECT_THAT(message_of(put), HasSubstr("no role \"ghost\""));
  EXPECT_EQ(code_of(store_->find_user("alice")), Errc::kNotFound);
  EXPECT_THAT(kinds(), IsEmpty());
}

TEST_P(StoreConformance, ForgetsADeletedUserWithTheirRoles) {
  ASSERT_TRUE(store_->put_user(user("alice", {"admin"}), {}));
  ASSERT_TRUE(store_->delete_user("alice", event("user.delete")));
  EXPECT_THAT(store_->roles_of("alice").value(), IsEmpty());
  EXPECT_EQ(code_of(store_->delete_user("alice", event("user.delete"))), Errc::kNotFound);
  EXPECT_EQ(code_of(store_->set_password("alice", "hash", event("user.password"))), Errc::kNotFound);
  EXPECT_THAT(kinds(), ElementsAre("user.delete"));
}

TEST_P(StoreConformance, KeepsARoleWithAllItSays) {
  v1::Role role;
  role.set_name("ops");
  role.add_logins("deploy");
  role.add_verbs("audit");
  (*role.mutable_node_labels())["env"] = "it's \"quoted\"";
  role.mutable_policy()->set_require_kernel_events(true);
  role.mutable_policy()->set_linger_limit_s(90);
  role.add_forwards("agent");
  role.mutable_policy()->set_piped_output_bytes(65'536);
  ASSERT_TRUE(store_->put_role(role, {}));
  const auto page = store_->list_roles().value();
  for (const v1::Role& found : page)
    EXPECT_TRUE(found.name() != "ops" || found.SerializeAsString() == role.SerializeAsString()) << found.DebugString();
  EXPECT_EQ(store_->list_roles()->size(), 4U);
}

TEST_P(StoreConformance, DeletesNoRoleThatSomebodyHas) {
  ASSERT_TRUE(store_->put_user(user("alice", {"admin"}), {}));
  EXPECT_EQ(message_of(store_->delete_role("admin", {})),
            "role \"admin\" is still given to alice; take it from them first");
  ASSERT_TRUE(store_->delete_user("alice", {}));
  EXPECT_TRUE(store_->delete_role("admin", {}));
  EXPECT_EQ(code_of(store_->delete_role("admin", {})), Errc::kNotFound);
}

// ---- tokens and hosts

TEST_P(StoreConformance, ListsTokensThatCanStillBeUsed) {
  ASSERT_TRUE(store_->add_token(token("live"), "s1", 10, {}));
  ASSERT_TRUE(store_->add_token(token("old", 0, 20), "s2", 10, {}));
  ASSERT_TRUE(store_->add_token(token("once", 1), "s3", 10, {}));
  ASSERT_TRUE(store_->join(host("web-1", "s3"), {}));
  const std::vector<v1::Token> listed = store_->list_tokens(30).value();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].SerializeAsString(), token("live").SerializeAsString());
  EXPECT_EQ(store_->find_token("s2")->name(), "old") << "its name is still known";
}

TEST_P(StoreConformance, GivesATokensNameAgainOnceItIsDead) {
  ASSERT_TRUE(store_->add_token(token("t", 0, 20), "s1", 10, {}));
  EXPECT_EQ(code_of(store_->add_token(token("t"), "s2", 19, event("token.create"))), Errc::kAlreadyExists);
  EXPECT_TRUE(store_->add_token(token("t"), "s2", 20, event("token.create")));
  ASSERT_TRUE(store_->delete_token("t", event("token.delete")));
  EXPECT_EQ(code_of(store_->find_token("s2")), Errc::kNotFound);
  EXPECT_EQ(code_of(store_->delete_token("t", event("token.delete"))), Errc::kNotFound);
  EXPECT_THAT(kinds(), ElementsAre("token.create", "token.delete"));
}

TEST_P(StoreConformance, LetsTheTokensLabelsWin) {
  ASSERT_TRUE(store_->add_token(token("t"), "s", 10, {}));
  const HostRecord joined = store_->join(host("web-1", "s"), event("node.join")).value();
  EXPECT_EQ(joined.node.labels().at("env"), "prod");
  EXPECT_EQ(joined.node.labels().at("rack"), "7");
  v1::HeartbeatRequest beat;
  (*beat.mutable_labels())["env"] = "other";
  (*beat.mutable_labels())["rack"] = "8";
  beat.set_version("0.2.0");
  beat.set_kernel("6.18");
  beat.set_capture_tier("B");
  beat.add_hooks("on_exec");
  ASSERT_TRUE(store_->heartbeat(joined.node.id(), beat, 76));
  ASSERT_TRUE(store_->set_seen({"nobody", joined.node.id()}, 77));
  const v1::Node node = store_->find_host(joined.node.id())->node;
  EXPECT_EQ(node.labels().at("env"), "prod");
  EXPECT_EQ(node.labels().at("rack"), "8");
  EXPECT_EQ(node.version(), "0.2.0");
  EXPECT_EQ(node.last_seen_wall_s(), 77);
  EXPECT_THAT(node.hooks(), ElementsAre("on_exec"));
  EXPECT_EQ(store_->type_of_host(joined.node.id()).value(), HostType::kNode);
  EXPECT_EQ(store_->type_of_host("nobody").error().code, Errc::kNotFound);
}

TEST_P(StoreConformance, CountsTheUsesOfATokenAmongManyAtOnce) {
  ASSERT_TRUE(store_->add_token(token("t", 3), "s", 10, {}));
  std::atomic<int> joined = 0;
  std::atomic<int> used_up = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const Result<HostRecord> host_or = store_->join(host(fmt::format("web-{}", i), "s"), event("node.join"));
      joined += host_or ? 1 : 0;
      used_up += code_of(host_or) == Errc::kExpired ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(joined, 3);
  EXPECT_EQ(used_up, 5);
  EXPECT_EQ(kinds().size(), 3U);
}

TEST_P(StoreConformance, RepeatsAJoinWhoseAnswerWasLost) {
  ASSERT_TRUE(store_->add_token(token("t", 1), "s", 10, {}));
  JoinRecord request = host("web-1", "s");
  const std::string id = store_->join(request, event("node.join"))->node.id();
  request.id = random_uuid();
  EXPECT_EQ(store_->join(request, event("node.join"))->node.id(), id);
  EXPECT_EQ(store_->list_hosts(HostType::kNode)->size(), 1U);
  EXPECT_THAT(kinds(), ElementsAre("node.join"));
  request.now_wall_s = 1000;
  EXPECT_EQ(code_of(store_->join(request, {})), Errc::kExpired) << "not after the token's time";
}

TEST_P(StoreConformance, FindsHostsByNameOrUuid) {
  ASSERT_TRUE(store_->add_token(token("t"), "s", 10, {}));
  const HostRecord first = store_->join(host("web-1", "s"), {}).value();
  const HostRecord twin = store_->join(host("web-1", "s"), {}).value();
  EXPECT_EQ(store_->hosts_called("web-1")->size(), 2U);
  ASSERT_EQ(store_->hosts_called(twin.node.id())->size(), 1U);
  EXPECT_THAT(store_->hosts_called("web").value(), IsEmpty());
  ASSERT_TRUE(store_->delete_host(first.node.id(), 50, event("node.delete")));
  EXPECT_EQ(code_of(store_->find_host(first.node.id())), Errc::kNotFound);
  EXPECT_EQ(store_->hosts_called("web-1")->size(), 1U);
}

// ---- sessions

TEST_P(StoreConformance, FollowsASessionFromBeginToEnd) {
  const SessionRecord added = add_session(5 * kNsPerS, "alice", "n1");
  const std::string& id = added.session.id();
  EXPECT_EQ(code_of(store_->add_session(added, {})), Errc::kAlreadyExists);
  EXPECT_EQ(store_->find_session(id)->session.SerializeAsString(), added.session.SerializeAsString());
  EXPECT_THAT(store_->incomplete_sessions().value(), ElementsAre(id));

  ASSERT_TRUE(store_->begin_session(id, 6, ""));
  ASSERT_TRUE(store_->begin_session(id, 6, "uptime"));
  ASSERT_TRUE(store_->begin_session(id, 6, ""));
  EXPECT_EQ(store_->find_session(id)->session.command(), "uptime");
  EXPECT_EQ(store_->find_session(id)->session.start_wall_s(), 6);

  const SessionEnd end{.end_wall_s = 9, .reason = "complete", .bytes = 1000, .chunks = 3};
  ASSERT_TRUE(store_->end_session(id, end, event("session.end")));
  ASSERT_TRUE(store_->end_session(id, end, event("session.end"))) << "said twice";
  const v1::Session ended = store_->find_session(id)->session;
  EXPECT_EQ(ended.end_wall_s(), 9);
  EXPECT_EQ(ended.end_reason(), "complete");
  EXPECT_EQ(ended.recording_bytes(), 1000U);
  EXPECT_EQ(ended.recording_chunks(), 3U);
  EXPECT_TRUE(ended.recording_complete());
  EXPECT_THAT(store_->incomplete_sessions().value(), IsEmpty());
  EXPECT_THAT(kinds(), ElementsAre("session.start", "session.end"));
}

TEST_P(StoreConformance, ListsSessionsNewestFirstInPagesThatMissNothing) {
  std::vector<std::string> expected;
  for (int i = 0; i < 7; ++i) expected.push_back(add_session(i / 2, "alice", "n1").session.id());  // equal times too
  std::vector<std::string> found;
  SessionQuery query{.limit = 2};
  do {
    const Page<v1::Session> page = store_->list_sessions(query).value();
    EXPECT_LE(page.rows.size(), 2U);
    for (const v1::Session& session : page.rows) found.push_back(session.id());
    query.page_token = page.next_page_token;
    add_session(100, "alice", "n1");  // what comes later does not disturb
  } while (!query.page_token.empty());
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(found.front(), expected.back());
}

TEST_P(StoreConformance, ListsSessionsByStateUserAndNode) {
  const std::string live = add_session(1, "alice", "n1").session.id();
  const std::string ended = add_session(2, "alice", "n2").session.id();
  const std::string other = add_session(3, "bob", "n2").session.id();
  ASSERT_TRUE(store_->end_session(ended, {.end_wall_s = 9, .reason = "limit", .bytes = 1, .chunks = 1}, {}));
  const auto ids = [&](SessionQuery query) {
    std::vector<std::string> found;
    const auto page = store_->list_sessions(query).value();
    for (const v1::Session& session : page.rows) found.push_back(session.id());
    return found;
  };
  EXPECT_THAT(ids({.state = v1::ListSessionsRequest::STATE_LIVE}), ElementsAre(other, live));
  EXPECT_THAT(ids({.state = v1::ListSessionsRequest::STATE_ENDED}), ElementsAre(ended));
  EXPECT_THAT(ids({.user = "alice"}), ElementsAre(ended, live));
  EXPECT_THAT(ids({.node_ids = {"n2", "n3"}}), ElementsAre(other, ended));
  EXPECT_THAT(ids({.user = "alice", .node_ids = {"n1"}}), ElementsAre(live));
  EXPECT_THAT(ids({.begun_after_wall_ns = 3}), ElementsAre(other, ended)) << "live has not begun and is old";
  EXPECT_EQ(store_->count_live_sessions(0).value(), 2U);
  EXPECT_EQ(store_->count_live_sessions(3).value(), 1U);
}

TEST_P(StoreConformance, FindsSessionsByTheirBeginning) {
  const std::string id = add_session(1, "alice", "n1").session.id();
  add_session(2, "alice", "n1");
  EXPECT_THAT(store_->session_ids(id.substr(0, 13), 3).value(), ElementsAre(id));
  EXPECT_EQ(store_->session_ids("", 10)->size(), 2U);
  EXPECT_EQ(store_->session_ids("", 1)->size(), 1U);
  EXPECT_THAT(store_->session_ids("%", 10).value(), IsEmpty());
}

TEST_P(StoreConformance, EndsTheLiveSessionsOfARemovedHost) {
  const std::string gone = add_session(1, "alice", "n1").session.id();
  const std::string stays = add_session(2, "alice", "n2").session.id();
  ASSERT_TRUE(store_->delete_host("n1", 50, event("node.delete")));
  EXPECT_EQ(store_->find_session(gone)->session.end_reason(), "interrupted");
  EXPECT_EQ(store_->find_session(gone)->session.end_wall_s(), 50);
  EXPECT_FALSE(store_->find_session(gone)->session.recording_complete());
  EXPECT_EQ(store_->find_session(stays)->session.end_wall_s(), 0);
}

// ---- what becomes of recordings

TEST_P(StoreConformance, KeepsWhatRetentionRulesLookAt) {
  SessionRecord record = add_session(1, "alice", "n1");
  EXPECT_EQ(store_->find_session(record.session.id())->node_labels, std::nullopt) << "not on record";
  record.session.set_id(random_uuid());
  record.node_labels = Labels{{"env", "it's \"quoted\""}};
  record.user_roles = std::vector<std::string>{};
  record.promise = {.keep_s = kKeepForeverS, .rule = "all"};
  ASSERT_TRUE(store_->add_session(record, {}));
  const SessionRecord found = store_->find_session(record.session.id()).value();
  EXPECT_EQ(found.node_labels, record.node_labels);
  EXPECT_EQ(found.user_roles, record.user_roles) << "none is not unknown";
  EXPECT_EQ(found.promise, record.promise);
}

TEST_P(StoreConformance, KeepsWhomARecordingIsEncryptedTo) {
  SessionRecord record = add_session(1, "alice", "n1");
  EXPECT_EQ(store_->find_session(record.session.id())->keys_for, "");
  record.session.set_id(random_uuid());
  record.keys_for = "age1a,age1b";
  ASSERT_TRUE(store_->add_session(record, {}));
  EXPECT_EQ(store_->find_session(record.session.id())->keys_for, "age1a,age1b");
  ASSERT_TRUE(store_->set_keys_for(record.session.id(), "age1c"));
  reopen();
  EXPECT_EQ(store_->find_session(record.session.id())->keys_for, "age1c");
}

TEST_P(StoreConformance, KnowsWhatIsToBeRecompressed) {
  std::vector<std::string> ids;
  for (int64_t i = 0; i < 4; ++i) {
    ids.push_back(add_session(i + 1, "alice", "n1").session.id());
    ASSERT_TRUE(store_->begin_session(ids.back(), 1, ""));
    if (i == 3) break;  // live
    ASSERT_TRUE(store_->end_session(ids.back(), {.end_wall_s = 30 - i * 10, .bytes = 1000, .chunks = 3}, {}));
  }
  EXPECT_EQ(store_->unarchived_recordings(30, 10).value(), (std::vector<std::string>{ids[2], ids[1], ids[0]}))
      << "those that ended first, first";
  EXPECT_EQ(store_->unarchived_recordings(20, 10).value(), (std::vector<std::string>{ids[2], ids[1]}));
  EXPECT_EQ(store_->unarchived_recordings(30, 1).value(), std::vector<std::string>{ids[2]});
  ASSERT_TRUE(store_->set_archived(ids[2], 800, {}));
  v1::Hold hold;
  hold.set_since_wall_s(1);
  ASSERT_TRUE(store_->hold_recording(ids[1], hold, {}));
  reopen();
  EXPECT_EQ(store_->unarchived_recordings(30, 10).value(), std::vector<std::string>{ids[0]});
  EXPECT_EQ(store_->find_session(ids[2])->session.recording_bytes(), 800u);
}

TEST_P(StoreConformance, KeepsARetentionRuleWithAllItSays) {
  v1::RetentionRule rule;
  rule.set_name("prod");
  (*rule.mutable_node_labels())["env"] = "prod";
  rule.add_logins("root");
  rule.add_roles("ops");
  rule.add_users("alice");
  rule.set_keep_s(7);
  ASSERT_TRUE(store_->put_retention_rule(rule, event("retention.put")));
  rule.set_keep_s(0);
  ASSERT_TRUE(store_->put_retention_rule(rule, event("retention.put")));
  reopen();
  ASSERT_EQ(store_->list_retention_rules()->size(), 1U);
  EXPECT_EQ(store_->list_retention_rules()->front().SerializeAsString(), rule.SerializeAsString());
  ASSERT_TRUE(store_->delete_retention_rule("prod", event("retention.delete")));
  EXPECT_THAT(store_->list_retention_rules().value(), IsEmpty());
  EXPECT_EQ(code_of(store_->delete_retention_rule("prod", event("retention.delete"))), Errc::kNotFound);
  EXPECT_THAT(kinds(), ElementsAre("retention.put", "retention.put", "retention.delete"));
}

TEST_P(StoreConformance, HoldsARecordingUntilItIsReleased) {
  const std::string id = add_session(1, "alice", "n1").session.id();
  v1::Hold hold;
  hold.set_since_wall_s(5);
  hold.set_by("user adam");
  hold.set_reason("case 7");
  EXPECT_EQ(code_of(store_->release_recording(id, {})), Errc::kInvalid);
  ASSERT_TRUE(store_->hold_recording(id, hold, event("recording.hold")));
  EXPECT_EQ(store_->find_session(id)->session.hold().SerializeAsString(), hold.SerializeAsString());
  EXPECT_THAT(message_of(store_->hold_recording(id, hold, event("recording.hold"))), HasSubstr("user adam (case 7)"));
  ASSERT_TRUE(store_->end_session(id, {.end_wall_s = 9, .reason = "complete", .bytes = 1, .chunks = 1}, {}));
  const Tombstone tombstone{.session_id = id, .is_early = true};
  EXPECT_EQ(code_of(store_->delete_recording(tombstone, event("recording.delete"))), Errc::kDenied);
  ASSERT_TRUE(store_->release_recording(id, event("recording.release")));
  EXPECT_FALSE(store_->find_session(id)->session.has_hold());
  EXPECT_EQ(code_of(store_->hold_recording(random_uuid(), hold, {})), Errc::kNotFound);
  EXPECT_THAT(kinds(), ElementsAre("session.start", "recording.hold", "recording.release"));
}

TEST_P(StoreConformance, LeavesATombstoneOfADeletedRecording) {
  const std::string id = add_session(kNsPerS, "alice", "n1").session.id();
  Tombstone tombstone{.session_id = id, .bytes = 1000, .chunks = 3, .certificate_serial = "ab12"};
  tombstone.deletion.set_wall_s(20);
  tombstone.deletion.set_by("user adam");
  tombstone.deletion.set_reason("by mistake");
  tombstone.deletion.set_root("cd34");
  EXPECT_EQ(code_of(store_->delete_recording(tombstone, event("recording.delete"))), Errc::kInvalid) << "live";
  ASSERT_TRUE(store_->end_session(id, {.end_wall_s = 9, .reason = "complete", .bytes = 1000, .chunks = 3}, {}));
  ASSERT_TRUE(store_->set_promises({{id, {.keep_s = 12, .rule = "all"}}}));
  EXPECT_THAT(message_of(store_->delete_recording(tombstone, event("recording.delete"))), HasSubstr("--early"));
  tombstone.deletion.set_wall_s(21);
  ASSERT_TRUE(store_->delete_recording(tombstone, event("recording.delete"))) << "its time is over to the second";
  reopen();
  const SessionRecord found = store_->find_session(id).value();
  EXPECT_EQ(found.session.deletion().SerializeAsString(), tombstone.deletion.SerializeAsString());
  EXPECT_EQ(found.certificate_serial, "ab12");
  EXPECT_EQ(found.session.recording_chunks(), 3U);
  EXPECT_EQ(found.session.user(), "alice");
  EXPECT_EQ(code_of(store_->delete_recording(tombstone, event("recording.delete"))), Errc::kAlreadyExists);
  EXPECT_THAT(store_->deleted_recordings().value(), ElementsAre(id));
  EXPECT_THAT(store_->sessions_after("", 10).value(), IsEmpty());
  EXPECT_THAT(kinds(), ElementsAre("session.start", "recording.delete"));
}

TEST_P(StoreConformance, ListsWhatIsOverdueOldestFirst) {
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(add_session(1, "alice", "n1").session.id());
    if (i > 0) {
      ASSERT_TRUE(
          store_->end_session(ids[i], {.end_wall_s = 100 - i, .reason = "complete", .bytes = 1, .chunks = 1}, {}));
    }
  }
  // 0 is live, 1 and 2 are due, 3 is held, 4 is kept for longer, 5 by no rule any more.
  ASSERT_TRUE(store_->set_promises({{ids[0], {.keep_s = 10, .rule = "a"}},
                                    {ids[1], {.keep_s = 10, .rule = "a"}},
                                    {ids[2], {.keep_s = 10, .rule = "a"}},
                                    {ids[3], {.keep_s = 10, .rule = "a"}},
                                    {ids[4], {.keep_s = kKeepForeverS, .rule = "b"}},
                                    {ids[5], {.keep_s = 10, .rule = ""}}}));
  v1::Hold hold;
  hold.set_since_wall_s(5);
  ASSERT_TRUE(store_->hold_recording(ids[3], hold, {}));
  const auto expired = [&](int64_t now_wall_s, uint32_t limit) {
    std::vector<std::string> found;
    const auto records = store_->expired_recordings(now_wall_s, limit).value();
    for (const SessionRecord& record : records) found.push_back(record.session.id());
    return found;
  };
  EXPECT_THAT(expired(107, 10), IsEmpty());
  EXPECT_THAT(expired(108, 10), ElementsAre(ids[2]));
  EXPECT_THAT(expired(5000, 10), ElementsAre(ids[2], ids[1]));
  EXPECT_THAT(expired(5000, 1), ElementsAre(ids[2]));
  EXPECT_EQ(store_->find_session(ids[4])->session.keep_until_wall_s(), -1);
  EXPECT_EQ(store_->find_session(ids[1])->session.keep_until_wall_s(), 109);
}

TEST_P(StoreConformance, WalksAllSessionsById) {
  std::set<std::string> expected;
  for (int i = 0; i < 5; ++i) expected.insert(add_session(i, "alice", "n1").session.id());
  std::vector<std::string> found;
  for (std::string after;;) {
    const std::vector<SessionRecord> some = store_->sessions_after(after, 2).value();
    for (const SessionRecord& record : some) found.push_back(record.session.id());
    if (some.size() < 2) break;
    after = some.back().session.id();
  }
  EXPECT_THAT(found, testing::ElementsAreArray(expected));
}

// ---- audit log

TEST_P(StoreConformance, KeepsAnAuditEventWithAllItSays) {
  AuditEvent said;
  said.set_wall_ns(123);
  said.set_kind("session.denied");
  said.set_user("al'ice\n\"x\"");
  said.set_node_id("id");
  said.set_node_name("web-1");
  said.set_session_id("session");
  said.set_message("ünïcode; DROP TABLE users");
  (*said.mutable_fields())["a"] = "b";
  ASSERT_TRUE(store_->append_audit({said}));
  reopen();
  AuditEvent found = store_->search_audit({}).value().rows.at(0);
  EXPECT_GT(found.id(), 0U);
  found.clear_id();
  EXPECT_EQ(found.leaf(), 1U);
  found.clear_leaf();
  EXPECT_EQ(found.SerializeAsString(), said.SerializeAsString());
}

TEST_P(StoreConformance, KeepsATreeOfTheAuditLog) {
  std::vector<std::string> roots;
  for (uint64_t i = 1; i <= 9; ++i) {
    AuditEvent event;
    event.set_wall_ns(static_cast<int64_t>(i));
    event.set_kind("test.event");
    event.set_message(std::to_string(i));
    ASSERT_TRUE(store_->append_audit({event}));
    const AuditHead head = store_->audit_head(0).value();
    EXPECT_EQ(head.size, i);
    roots.push_back(head.root);
  }
  reopen();
  const AuditQuery all{.limit = 100, .is_ascending = true};
  recorder::MerkleFrontier tree;
  const Page<AuditEvent> page = store_->search_audit(all).value();
  for (const AuditEvent& event : page.rows) {
    tree.add(recorder::merkle_leaf(recorder::audit_entry(event)));
    EXPECT_EQ(tree.root(), roots[event.leaf() - 1]);
    EXPECT_EQ(store_->audit_head(event.leaf()).value().root, roots[event.leaf() - 1]) << "as it was then";
  }
  EXPECT_EQ(store_->audit_leaves(0, 100).value().size(), 9U);
  EXPECT_EQ(store_->audit_leaves(7, 100).value().size(), 2U);
  EXPECT_EQ(code_of(store_->audit_head(10)), Errc::kNotFound);
  for (const AuditEvent& event : page.rows) {
    for (uint64_t size = event.leaf(); size <= 9; ++size) {
      EXPECT_TRUE(recorder::verify_inclusion(event.leaf() - 1, size,
                                             recorder::merkle_leaf(recorder::audit_entry(event)),
                                             store_->audit_path(event.leaf(), size).value(), roots[size - 1]));
    }
  }
  EXPECT_EQ(code_of(store_->audit_path(9, 10)), Errc::kNotFound);
  EXPECT_EQ(code_of(store_->audit_path(9, 8)), Errc::kInvalid);
  EXPECT_EQ(code_of(store_->audit_path(0, 8)), Errc::kInvalid);
}

TEST_P(StoreConformance, SearchesByTimeKindUserNodeAndSession) {
  for (int i = 0; i < 6; ++i) {
    AuditEvent event;
    event.set_wall_ns(i);
    event.set_kind(i % 2 == 0 ? "session.start" : i == 1 ? "sessions.x" : "user.login");
    event.set_user(i < 3 ? "alice" : "bob");
    event.set_node_id(fmt::format("n{}", i % 3));
    event.set_session_id(i == 4 ? "s" : "");
    ASSERT_TRUE(store_->append_audit({event}));
  }
  const auto times = [&](AuditQuery query) {
    std::vector<int64_t> found;
    const auto page = store_->search_audit(query).value();
    for (const AuditEvent& event : page.rows) found.push_back(event.wall_ns());
    return found;
  };
  EXPECT_THAT(times({}), ElementsAre(5, 4, 3, 2, 1, 0));
  EXPECT_THAT(times({.is_ascending = true}), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(times({.since_wall_ns = 2, .until_wall_ns = 4}), ElementsAre(3, 2));
  EXPECT_THAT(times({.kinds = {"session.start"}}), ElementsAre(4, 2, 0));
  EXPECT_THAT(times({.kinds = {"session."}}), ElementsAre(4, 2, 0)) << "sessions.x is another noun";
  EXPECT_THAT(times({.kinds = {"user.", "sessions.x"}}), ElementsAre(5, 3, 1));
  EXPECT_THAT(times({.user = "bob"}), ElementsAre(5, 4, 3));
  EXPECT_THAT(times({.node_ids = {"n1", "n2"}}), ElementsAre(5, 4, 2, 1));
  EXPECT_THAT(times({.session_id = "s"}), ElementsAre(4));
  EXPECT_THAT(times({.kinds = {"session."}, .user = "alice"}), ElementsAre(2, 0));
}

TEST_P(StoreConformance, PagesThroughTheAuditLogBothWaysWhileItGrows) {
  for (const bool is_ascending : {false, true}) {
    const std::string kind = is_ascending ? "up.x" : "down.x";
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(store_->append_audit(event(kind)));
    AuditQuery query{.kinds = {kind}, .limit = 3, .is_ascending = is_ascending};
    std::vector<uint64_t> ids;
    do {
      const Page<AuditEvent> page = store_->search_audit(query).value();
      for (const AuditEvent& found : page.rows) ids.push_back(found.id());
      query.page_token = page.next_page_token;
      if (!is_ascending) std::ignore = store_->append_audit(event(kind));
    } while (!query.page_token.empty());
    EXPECT_EQ(ids.size(), 10U);
    EXPECT_EQ(std::is_sorted(ids.begin(), ids.end()), is_ascending);
    EXPECT_EQ(std::set<uint64_t>(ids.begin(), ids.end()).size(), 10U);
  }
}

TEST_P(StoreConformance, TakesNoPageTokenThatItDidNotGive) {
  for (int i = 0; i < 3; ++i) add_session(i, "alice", "n1");
  const std::string of_sessions = store_->list_sessions({.limit = 1})->next_page_token;
  for (const std::string& token : {std::string("x"), std::string("00"), of_sessions, std::string(1000, 'a')})
    EXPECT_EQ(code_of(store_->search_audit({.page_token = token})), Errc::kInvalid) << token;
  EXPECT_EQ(code_of(store_->list_sessions({.page_token = "6131"})), Errc::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreConformance,
                         testing::Values(Backend{"sqlite",
                                                 [](const std::filesystem::path& folder, const Clock& clock) {
                                                   return open_sqlite_store(folder / "auth.db", 4, clock).value();
                                                 }}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cairn::auth
