#include "auth/service/retention.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "auth/access/retention_rules.h"
#include "auth/tests/recording_fixture.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace cairn::auth {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr int64_t kDayS = 86'400;

v1::RetentionRule rule(const std::string& name, int64_t days, const Labels& labels = {{"*", "*"}}) {
  v1::RetentionRule made;
  made.set_name(name);
  made.mutable_node_labels()->insert(labels.begin(), labels.end());
  made.set_keep_s(static_cast<uint64_t>(days * kDayS));
  return made;
}

// ---- which rule is for whom

SessionRecord session_of_adam() {
  SessionRecord record;
  record.session.set_user("adam");
  record.session.set_login("root");
  record.node_labels = Labels{{"env", "prod"}, {"rack", "7"}};
  record.user_roles = std::vector<std::string>{"ops", "contractor"};
  return record;
}

struct Match {
  const char* name;
  Labels labels;
  std::vector<std::string> logins;
  std::vector<std::string> roles;
  std::vector<std::string> users;
  bool matches;
};
class RuleForASession : public testing::TestWithParam<Match> {};
TEST_P(RuleForASession, MatchesByAllThatItSays) {
  v1::RetentionRule wanted = rule("r", 30, GetParam().labels);
  wanted.mutable_logins()->Add(GetParam().logins.begin(), GetParam().logins.end());
  wanted.mutable_roles()->Add(GetParam().roles.begin(), GetParam().roles.end());
  wanted.mutable_users()->Add(GetParam().users.begin(), GetParam().users.end());
  const KeepPromise expected = GetParam().matches ? KeepPromise{.keep_s = 30 * kDayS, .rule = "r"} : KeepPromise();
  EXPECT_EQ(promise_by_rules({wanted}, session_of_adam()), expected);
}
INSTANTIATE_TEST_SUITE_P(Rules, RuleForASession,
                         testing::Values(Match{"every_node", {{"*", "*"}}, {}, {}, {}, true},
                                         Match{"a_label", {{"env", "prod"}}, {}, {}, {}, true},
                                         Match{"any_value", {{"rack", "*"}}, {}, {}, {}, true},
                                         Match{"another_value", {{"env", "test"}}, {}, {}, {}, false},
                                         Match{
                                             "one_of_two_labels", {{"env", "prod"}, {"zone", "a"}}, {}, {}, {}, false},
                                         Match{"one_of_the_logins", {{"*", "*"}}, {"deploy", "root"}, {}, {}, true},
                                         Match{"none_of_the_logins", {{"*", "*"}}, {"deploy"}, {}, {}, false},
                                         Match{"one_of_the_roles", {{"*", "*"}}, {}, {"admin", "contractor"}, {}, true},
                                         Match{"none_of_the_roles", {{"*", "*"}}, {}, {"admin"}, {}, false},
                                         Match{"the_user", {{"*", "*"}}, {}, {}, {"adam"}, true},
                                         Match{"another_user", {{"*", "*"}}, {}, {}, {"eve"}, false},
                                         Match{"right_role_wrong_login", {{"*", "*"}}, {"deploy"}, {"ops"}, {}, false}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RetentionRules, TheLongestOfAllThatMatchCounts) {
  std::vector<v1::RetentionRule> rules = {rule("all", 30), rule("prod", 90, {{"env", "prod"}}),
                                          rule("test", 900, {{"env", "test"}})};
  EXPECT_EQ(promise_by_rules(rules, session_of_adam()), (KeepPromise{.keep_s = 90 * kDayS, .rule = "prod"}));
  rules.push_back(rule("ever", 0));
  EXPECT_EQ(promise_by_rules(rules, session_of_adam()), (KeepPromise{.keep_s = kKeepForeverS, .rule = "ever"}));
}

TEST(RetentionRules, KeepForTheLongestWhatNobodyKnowsTheLabelsOf) {
  SessionRecord old = session_of_adam();
  old.node_labels.reset();
  old.user_roles.reset();
  v1::RetentionRule strict = rule("strict", 900, {{"env", "other"}});
  strict.add_roles("nobody");
  EXPECT_EQ(promise_by_rules({rule("all", 30), strict}, old).rule, "strict");
  strict.add_users("eve");
  EXPECT_EQ(promise_by_rules({rule("all", 30), strict}, old).rule, "all") << "whose it is, is known";
}

TEST(RetentionRules, AreRefusedWhenTheyAreForNobodyOrForTooLong) {
  EXPECT_THAT(message_of(check_retention_rule(rule("r", 1, {}))), HasSubstr("*=* is every node"));
  EXPECT_THAT(message_of(check_retention_rule(rule("r", 3651))), HasSubstr("ten years, or forever"));
  EXPECT_EQ(code_of(check_retention_rule(rule("", 1))), Errc::kInvalid);
  v1::RetentionRule bad = rule("r", 1);
  bad.add_logins("no such\n");
  EXPECT_EQ(code_of(check_retention_rule(bad)), Errc::kInvalid);
  EXPECT_TRUE(check_retention_rule(rule("r", 3650)));
  EXPECT_TRUE(check_retention_rule(rule("r", 0)));
}

// ---- what becomes of recordings

class Recording : public testing::Test {
 protected:
  // Of a session that lasted 90 s, complete.
  void record() {
    for (uint64_t i = 0; const std::string& chunk : archive_.recording.chunks())
      ASSERT_TRUE(archive_.upload(i++, chunk));
  }
  void begin_next() { archive_.recording = archive_.authorized(); }

  v1::Response put(const v1::RetentionRule& wanted, const Subject& who = Auth::root()) {
    v1::Request request;
    *request.mutable_put_retention_rule()->mutable_rule() = wanted;
    return archive_.ask(who, request);
  }
  void remove_rule(const std::string& name) {
    v1::Request request;
    request.mutable_delete_retention_rule()->set_name(name);
    EXPECT_TRUE(archive_.as_root(request).has_done());
  }
  v1::Response hold(const Subject& who = Auth::root(), const std::string& reason = "case 7") {
    v1::Request request;
    request.mutable_hold_recording()->set_session_id(id().substr(0, 8));
    request.mutable_hold_recording()->set_reason(reason);
    return archive_.ask(who, request);
  }
  v1::Response release(const Subject& who = Auth::root()) {
    v1::Request request;
    request.mutable_release_recording()->set_session_id(id());
    request.mutable_release_recording()->set_reason("case 7 is closed");
    return archive_.ask(who, request);
  }
  v1::Response remove(bool is_early = false, const Subject& who = Auth::root()) {
    v1::Request request;
    request.mutable_delete_recording()->set_session_id(id());
    request.mutable_delete_recording()->set_reason("recorded by mistake");
    request.mutable_delete_recording()->set_early(is_early);
    return archive_.ask(who, request);
  }
  v1::Response read(const std::string& purpose = "", const std::string& form = "") {
    v1::Request request;
    request.mutable_read_recording()->set_session_id(id());
    request.mutable_read_recording()->set_purpose(purpose);
    request.mutable_read_recording()->set_form(form);
    return archive_.ask(Auth::user("alice"), request);
  }
  void days_pass(int64_t days) {
    archive_.clock.advance_s(days * kDayS);
    archive_.retention->run_round();
  }

  // Files that belong to the session.
  std::vector<std::string> files() const {
    std::vector<std::string> found;
    for (const auto& file : std::filesystem::directory_iterator(archive_.folder.path() / "recordings")) {
      const std::string name = file.path().filename().string();
      if (name.starts_with(id())) found.push_back(name.substr(id().size()));
    }
    std::ranges::sort(found);
    return found;
  }
  bool is_deleted() { return archive_.row().has_deletion(); }
  const std::string& id() const { return archive_.recording.session_id; }

  Archive archive_;
};

TEST_F(Recording, IsKeptWhereNoRuleSpeaksOfIt) {
  record();
  days_pass(10'000);
  EXPECT_FALSE(is_deleted());
  EXPECT_EQ(archive_.row().keep_until_wall_s(), 0);
  EXPECT_TRUE(read().has_read_recording());
}

TEST_F(Recording, IsDeletedWhenItsTimeIsOverAndLeavesATombstone) {
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  begin_next();
  record();
  const v1::Session before = archive_.row();
  EXPECT_EQ(before.keep_until_wall_s(), before.end_wall_s() + 30 * kDayS);
  EXPECT_THAT(files(), ElementsAre(".proof", ".rec"));
  days_pass(30);
  EXPECT_FALSE(is_deleted()) << "90 s too early";
  archive_.clock.advance_s(90);
  archive_.retention->run_round();
  ASSERT_TRUE(is_deleted());
  EXPECT_THAT(files(), IsEmpty());

  const v1::Session after = archive_.row();
  EXPECT_EQ(after.deletion().rule(), "all");
  EXPECT_EQ(after.deletion().wall_s(), archive_.clock.wall_s());
  EXPECT_EQ(after.command(), "uptime") << "who, where and when stay";
  EXPECT_EQ(after.recording_bytes(), before.recording_bytes());
  const std::vector<AuditEvent> seals = archive_.audit("session.end");
  const std::vector<AuditEvent> deletions = archive_.audit("recording.delete");
  ASSERT_EQ(seals.size(), 1U);
  ASSERT_EQ(deletions.size(), 1U);
  EXPECT_EQ(deletions[0].fields().at("root"), seals[0].fields().at("root"));
  EXPECT_EQ(after.deletion().root(), seals[0].fields().at("root"));
  EXPECT_EQ(deletions[0].fields().at("by"), "retention rule all");
  EXPECT_EQ(deletions[0].session_id(), id());
  EXPECT_THAT(read().error().message(), HasSubstr("by the retention rule \"all\" (it was kept for 30d)"));
  EXPECT_THAT(archive_.audit("recording.read"), IsEmpty());
  archive_.retention->run_round();
  EXPECT_EQ(archive_.audit("recording.delete").size(), 1U) << "once";
}

TEST_F(Recording, OfALiveSessionIsNotDeleted) {
  ASSERT_TRUE(put(rule("all", 1)).has_done());
  begin_next();
  ASSERT_TRUE(archive_.upload(0, archive_.recording.chunks()[0]));
  days_pass(100);
  EXPECT_FALSE(is_deleted());
  EXPECT_THAT(remove(true).error().message(), HasSubstr("still live"));
  EXPECT_THAT(files(), Contains(".rec"));
}

TEST_F(Recording, OfBeforeTheRuleIsKeptByItToo) {
  record();
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  days_pass(31);
  EXPECT_TRUE(is_deleted());
}

TEST_F(Recording, IsNotDeletedByARuleThatALongerOneHasOvertaken) {
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  begin_next();
  record();
  ASSERT_TRUE(put(rule("alice", 90)).has_done());
  days_pass(31);
  EXPECT_FALSE(is_deleted());
  days_pass(60);
  EXPECT_EQ(archive_.row().deletion().rule(), "alice");
}

TEST_F(Recording, IsLookedAtOnceMoreBeforeItIsDeleted) {
  ASSERT_TRUE(put(rule("all", 90)).has_done());
  archive_.retention->run_round();
  begin_next();
  record();
  // Begun while the rule was being made: with the promise of before.
  ASSERT_TRUE(archive_.store->set_promises({{id(), {.keep_s = 5 * kDayS, .rule = "gone"}}}));
  days_pass(31);
  EXPECT_FALSE(is_deleted());
  EXPECT_EQ(archive_.store->find_session(id())->promise, (KeepPromise{.keep_s = 90 * kDayS, .rule = "all"}));
}

TEST_F(Recording, KeepsAPromiseWhenTheRuleGetsShorterUntilItIsTakenBack) {
  ASSERT_TRUE(put(rule("all", 90)).has_done());
  begin_next();
  record();
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  days_pass(31);
  EXPECT_FALSE(is_deleted());
  v1::Request request;
  request.mutable_reapply_retention()->set_reason("policy of 2026");
  EXPECT_EQ(archive_.as_root(request).reapply_retention().recordings(), 1U);
  ASSERT_EQ(archive_.audit("retention.reapply").size(), 1U);
  EXPECT_EQ(archive_.audit("retention.reapply")[0].fields().at("reason"), "policy of 2026");
  archive_.retention->run_round();
  EXPECT_TRUE(is_deleted());
}

TEST_F(Recording, StaysWhenItsRuleIsRemoved) {
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  begin_next();
  record();
  remove_rule("all");
  days_pass(10'000);
  EXPECT_FALSE(is_deleted());
  EXPECT_THAT(archive_.audit("retention.delete"), testing::SizeIs(1));
}

TEST_F(Recording, ThatIsHeldIsDeletedByNoRuleAndNobody) {
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  begin_next();
  record();
  ASSERT_TRUE(hold().has_done());
  EXPECT_EQ(archive_.row().hold().reason(), "case 7");
  days_pass(31);
  EXPECT_FALSE(is_deleted());
  const v1::Response refused = remove(true);
  EXPECT_EQ(refused.error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_THAT(refused.error().message(), HasSubstr("by root on the auth host (case 7)"));
  const std::vector<AuditEvent> attempts = archive_.audit("recording.delete");
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_FALSE(attempts[0].success());
  EXPECT_THAT(attempts[0].message(), HasSubstr("was kept from deleting"));
  EXPECT_EQ(hold().error().code(), v1::ERROR_CODE_ALREADY_EXISTS);
  EXPECT_THAT(files(), ElementsAre(".proof", ".rec"));

  ASSERT_TRUE(release().has_done());
  EXPECT_EQ(release().error().code(), v1::ERROR_CODE_INVALID);
  EXPECT_EQ(archive_.audit("recording.release")[0].fields().at("held_because"), "case 7");
  archive_.retention->run_round();
  EXPECT_TRUE(is_deleted());
  EXPECT_EQ(hold().error().code(), v1::ERROR_CODE_ALREADY_EXISTS) << "there is nothing to hold any more";
}

TEST_F(Recording, IsDeletedBeforeItsTimeOnlyOnWordThatItIs) {
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  begin_next();
  record();
  EXPECT_THAT(remove().error().message(), HasSubstr("--early"));
  EXPECT_FALSE(is_deleted());
  ASSERT_TRUE(remove(true).has_done());
  EXPECT_EQ(archive_.row().deletion().by(), "root on the auth host");
  EXPECT_THAT(files(), IsEmpty());
  const AuditEvent event = archive_.audit("recording.delete").back();
  EXPECT_TRUE(event.success());
  EXPECT_THAT(event.fields().at("promised"), HasSubstr("until "));
  EXPECT_EQ(event.fields().at("reason"), "recorded by mistake");
  EXPECT_EQ(remove(true).error().code(), v1::ERROR_CODE_ALREADY_EXISTS);
}

TEST_F(Recording, IsTakenFromNobodyWithoutTheVerb) {
  record();
  archive_.put_user("rita", {"auditor", "access"});
  archive_.put_role("keeper", {}, {}, {"holds"});
  archive_.put_user("kim", {"keeper"});
  for (const char* name : {"alice", "rita", "kim"}) {
    const Subject who = Auth::user(name);
    EXPECT_EQ(remove(true, who).error().code(), v1::ERROR_CODE_DENIED) << name;
    EXPECT_EQ(put(rule("mine", 1), who).error().code(), v1::ERROR_CODE_DENIED) << name;
    v1::Request reapply;
    reapply.mutable_reapply_retention()->set_reason("x");
    EXPECT_EQ(archive_.ask(who, reapply).error().code(), v1::ERROR_CODE_DENIED) << name;
    v1::Request list;
    list.mutable_list_retention_rules();
    EXPECT_EQ(archive_.ask(who, list).error().code(), v1::ERROR_CODE_DENIED) << name;
  }
  EXPECT_EQ(hold(Auth::user("alice")).error().code(), v1::ERROR_CODE_DENIED) << "not even their own";
  EXPECT_EQ(hold(Auth::user("rita")).error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_TRUE(hold(Auth::user("kim")).has_done());
  EXPECT_EQ(release(Auth::user("rita")).error().code(), v1::ERROR_CODE_DENIED);
  EXPECT_EQ(hold(archive_.node).error().code(), v1::ERROR_CODE_DENIED);
}

TEST_F(Recording, IsNeitherHeldNorDeletedWithoutAReason) {
  record();
  EXPECT_THAT(hold(Auth::root(), "").error().message(), HasSubstr("reason"));
  EXPECT_EQ(hold(Auth::root(), std::string(513, 'x')).error().code(), v1::ERROR_CODE_INVALID);
  EXPECT_EQ(hold(Auth::root(), std::string("a\0b", 3)).error().code(), v1::ERROR_CODE_INVALID);
}

TEST_F(Recording, WhoseFilesOutlivedACrashIsErasedAtTheStart) {
  record();
  const std::string bytes = read_file(archive_.file(), 1 << 20).value();
  ASSERT_TRUE(remove().has_done());
  ASSERT_TRUE(write_file_atomically(archive_.file(), bytes, 0600));
  begin_next();
  record();
  const std::string kept = id();
  archive_.open();
  ASSERT_TRUE(archive_.recordings->reconcile());
  EXPECT_TRUE(archive_.chunks->session_ids().value() == std::vector<std::string>{kept}) << "that one, and no other";
}

TEST_F(Recording, WhoseTextWasDerivedLeavesNoneOfIt) {
  record();
  v1::Request search;
  search.mutable_search_recordings()->set_pattern("^line 1$");
  // The first answers may be that it is still being derived.
  const auto lines_found = [&] {
    const v1::SearchRecordingsResponse answer = archive_.as_root(search).search_recordings();
    return answer.found_size() == 0 ? 0 : answer.found(0).lines_size();
  };
  int tries = 30;
  while (lines_found() == 0 && tries > 0) --tries;
  ASSERT_GT(tries, 0) << "it is never derived";
  const std::filesystem::path derived = archive_.folder.path() / "derived" / (id() + ".derived");
  ASSERT_TRUE(std::filesystem::exists(derived));
  const std::string bytes = read_file(derived, 1 << 20).value();
  ASSERT_TRUE(remove().has_done());
  EXPECT_FALSE(std::filesystem::exists(derived));
  EXPECT_EQ(archive_.as_root(search).search_recordings().found_size(), 0);
  search.mutable_search_recordings()->set_session_id(id());
  EXPECT_EQ(archive_.as_root(search).error().code(), v1::ERROR_CODE_NOT_FOUND);
  v1::Request find;
  find.mutable_find_moment()->set_session_id(id());
  EXPECT_EQ(archive_.as_root(find).error().code(), v1::ERROR_CODE_NOT_FOUND);
  ASSERT_TRUE(write_file_atomically(derived, bytes, 0600));
  archive_.open();
  ASSERT_TRUE(archive_.recordings->reconcile());
  EXPECT_FALSE(std::filesystem::exists(derived)) << "nor after a crash";
}

TEST_F(Recording, OfALateNodeIsNotStoredAgainAndThatIsOnRecord) {
  record();
  const v1::Session before = archive_.row();
  ASSERT_TRUE(remove().has_done());
  v1::Request request;
  request.mutable_open_upload()->set_session_id(id());
  const v1::Response stand = archive_.ask(archive_.node, request);
  EXPECT_TRUE(stand.open_upload().complete());
  EXPECT_EQ(stand.open_upload().durable_bytes(), before.recording_bytes()) << "so that it deletes its own";
  archive_.ask(archive_.node, request);
  EXPECT_EQ(archive_.audit("recording.late").size(), 1U) << "once per connection";
  EXPECT_EQ(archive_.upload(0, archive_.recording.chunks()[0])->chunks, before.recording_chunks());
  v1::UploadTailRequest tail;
  tail.set_session_id(id());
  tail.set_chunk(4);
  tail.set_checkpoint("late");
  EXPECT_TRUE(archive_.recordings->upload_tail(archive_.node.id, tail));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Recording, ThatIsDamagedLeavesTheRootThatWasSealed) {
  ASSERT_TRUE(put(rule("all", 30)).has_done());
  begin_next();
  record();
  const UniqueFd file(::open(archive_.file().c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), "damage", 6, 0), 6);
  archive_.open();
  days_pass(31);
  ASSERT_TRUE(is_deleted());
  EXPECT_EQ(archive_.row().deletion().root(), archive_.audit("session.end")[0].fields().at("root"));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(Recording, ThatTheDiskDoesNotGiveUpIsGoneForPeopleAndErasedLater) {
  record();
  const std::string folder = (archive_.folder.path() / "recordings").string();
  const std::string freeze = "mount --bind " + folder + " " + folder + " && mount -o remount,ro,bind " + folder;
  if (run_program(freeze).status != 0) GTEST_SKIP() << "needs mount(2)";
  const v1::Response refused = remove();
  EXPECT_EQ(read().error().code(), v1::ERROR_CODE_NOT_FOUND);
  EXPECT_THAT(files(), Contains(".rec"));
  ASSERT_EQ(run_program("umount " + folder).status, 0);
  EXPECT_EQ(refused.error().code(), v1::ERROR_CODE_UNAVAILABLE);
  EXPECT_THAT(refused.error().message(), HasSubstr("tried again"));
  archive_.retention->run_round();
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_EQ(archive_.audit("recording.delete").size(), 1U);
}

TEST_F(Recording, IsReadOnRecordOnceForEachPurpose) {
  record();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(read("play").has_read_recording());
    ASSERT_TRUE(read("export", "asciicast2").has_read_recording());
    ASSERT_TRUE(read("export", "jsonl").has_read_recording());
  }
  const std::vector<AuditEvent> reads = archive_.audit("recording.read");
  ASSERT_EQ(reads.size(), 3U);
  EXPECT_THAT(reads[0].fields(), Contains(Pair("purpose", "play")));
  EXPECT_THAT(reads[2].fields(), Contains(Pair("form", "jsonl")));
  EXPECT_EQ(reads[2].session_id(), id());
  EXPECT_EQ(read("no word").error().code(), v1::ERROR_CODE_INVALID);
  EXPECT_EQ(read("play", std::string(33, 'a')).error().code(), v1::ERROR_CODE_INVALID);
  EXPECT_EQ(archive_.audit("recording.read").size(), 3U);
}

TEST_F(Recording, IsNotServedWhenTheReadingCannotBePutOnRecord) {
  if (run_program("command -v sqlite3").status != 0) GTEST_SKIP() << "needs sqlite3";
  record();
  ASSERT_EQ(run_program("sqlite3 " + (archive_.folder.path() / "auth.db").string() +
                        " \"CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'full'); END\"")
                .status,
            0);
  const v1::Response response = read("play");
  EXPECT_TRUE(response.has_error());
  EXPECT_EQ(response.read_recording().data(), "");
  EXPECT_EQ(remove().error().code(), v1::ERROR_CODE_UNAVAILABLE);
  EXPECT_THAT(files(), ElementsAre(".proof", ".rec")) << "no deletion without a trace";
}

}  // namespace
}  // namespace cairn::auth
