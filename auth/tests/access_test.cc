#include <gmock/gmock.h>

#include "auth/access/names.h"
#include "auth/access/password.h"
#include "auth/access/throttle.h"
#include "auth/tests/auth_fixture.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;

// ---- authorize(): roles as in docs/access.md
//   ops      logins deploy      on env=prod
//   dbas     logins postgres    on env=prod,role=db      policy: kernel events required, 60 s
//   helpers  logins deploy,root on env=test
//   readers  verbs audit, recordings
class Rules : public testing::Test {
 protected:
  Rules() {
    auth_.put_role("ops", {"deploy"}, {{"env", "prod"}});
    v1::Request dbas;
    v1::Role& role = *dbas.mutable_put_role()->mutable_role();
    role.set_name("dbas");
    role.add_logins("postgres");
    role.add_logins("deploy");
    (*role.mutable_node_labels())["env"] = "prod";
    (*role.mutable_node_labels())["role"] = "*";
    role.mutable_policy()->set_require_kernel_events(true);
    role.mutable_policy()->set_linger_limit_s(60);
    role.add_forwards("agent");
    role.add_forwards("ports");
    EXPECT_TRUE(auth_.as_root(dbas).has_done());
    auth_.put_role("helpers", {"deploy", "root"}, {{"env", "test"}});
    auth_.put_role("readers", {}, {}, {"audit", "recordings"});
    auth_.put_user("olga", {"ops"});
    auth_.put_user("dan", {"ops", "dbas"});
    auth_.put_user("rita", {"readers"});
    auth_.put_user("nina", {});
    auth_.put_user("adam", {"admin"});
  }

  static v1::Node node(const Labels& labels) {
    v1::Node made;
    made.set_id("4be643cb-94b0-4f55-b63a-0d0d3a7cb1d1");
    made.set_name("db-1");
    made.mutable_labels()->insert(labels.begin(), labels.end());
    return made;
  }

  std::string why_not(const std::string& user, const Action& action) {
    return message_of(authorize(Auth::user(user), action, *auth_.store));
  }

  Auth auth_;
  const v1::Node prod_ = node({{"env", "prod"}});
  const v1::Node prod_db_ = node({{"env", "prod"}, {"role", "db"}});
  const v1::Node bare_ = node({});
};

TEST_F(Rules, ALoginNeedsARoleThatReachesTheNodeAndGivesIt) {
  EXPECT_EQ(why_not("olga", StartSession{"deploy", prod_}), "");
  EXPECT_EQ(why_not("olga", StartSession{"root", prod_}),
            "olga may not log in as root on db-1: none of their roles (ops) gives this login there");
  EXPECT_EQ(why_not("olga", StartSession{"deploy", bare_}),
            "olga may not log in as deploy on db-1: none of their roles (ops) gives access to this node");
  EXPECT_EQ(why_not("dan", StartSession{"postgres", prod_db_}), "");
  EXPECT_NE(why_not("dan", StartSession{"postgres", prod_}), "") << "the label role is missing there";
  EXPECT_THAT(why_not("nina", StartSession{"deploy", prod_}), HasSubstr("they have no role"));
  EXPECT_NE(why_not("adam", StartSession{"root", prod_}), "") << "administration is not access";
}

TEST_F(Rules, TheStrictestPolicyOfTheGrantingRolesHolds) {
  const auto policy = authorize(Auth::user("dan"), StartSession{"deploy", prod_db_}, *auth_.store)->recording;
  EXPECT_TRUE(policy.require_kernel_events());
  EXPECT_EQ(policy.linger_limit_s(), 60U);
  const auto lenient = authorize(Auth::user("dan"), StartSession{"deploy", prod_}, *auth_.store)->recording;
  EXPECT_FALSE(lenient.require_kernel_events());
}

TEST_F(Rules, TheRoleThatKeepsMoreOutputHolds) {
  const auto kept = [this] {
    const auto policy = authorize(Auth::user("dan"), StartSession{"deploy", prod_db_}, *auth_.store)->recording;
    return policy.has_piped_output_bytes() ? static_cast<int64_t>(policy.piped_output_bytes()) : -1;
  };
  const auto set_limit = [this](const std::string& name, int64_t bytes) {
    const auto roles = auth_.store->list_roles().value();
    for (v1::Role role : roles) {
      if (role.name() != name) continue;
      if (bytes >= 0) role.mutable_policy()->set_piped_output_bytes(static_cast<uint64_t>(bytes));
      if (bytes < 0) role.mutable_policy()->clear_piped_output_bytes();
      EXPECT_TRUE(auth_.store->put_role(role, {}));
    }
  };
  EXPECT_EQ(kept(), -1) << "all, where no role says otherwise";
  set_limit("dbas", 1000);
  EXPECT_EQ(kept(), -1) << "ops keeps all";
  set_limit("ops", 2000);
  EXPECT_EQ(kept(), 2000);
  set_limit("dbas", 0);
  EXPECT_EQ(kept(), 2000);
}

TEST_F(Rules, EachGrantingRoleAddsWhatItPermitsToForward) {
  const auto forwards = [this](const v1::Node& node) {
    return authorize(Auth::user("dan"), StartSession{"deploy", node}, *auth_.store)->forwards;
  };
  EXPECT_EQ(forwards(prod_db_), (std::set<std::string>{"agent", "ports"}));
  EXPECT_EQ(forwards(prod_), std::set<std::string>()) << "dbas does not reach it, and ops permits nothing";
}

TEST_F(Rules, AdministrationNeedsTheVerb) {
  EXPECT_EQ(why_not("rita", Administer{"audit"}), "");
  EXPECT_EQ(why_not("rita", Administer{"tokens"}),
            "rita may not administer tokens: none of their roles (readers) has the verb \"tokens\"; ask an admin for a "
            "role with it");
  for (const std::string& verb : known_verbs()) EXPECT_EQ(why_not("adam", Administer{verb}), "") << verb;
}

TEST_F(Rules, PeopleSeeTheNodesTheyReachAndTheirOwnSessions) {
  EXPECT_EQ(why_not("olga", SeeNode{prod_}), "");
  EXPECT_NE(why_not("olga", SeeNode{bare_}), "");
  EXPECT_EQ(why_not("adam", SeeNode{bare_}), "");
  EXPECT_EQ(why_not("olga", SeeSession{"olga"}), "");
  EXPECT_NE(why_not("olga", SeeSession{"dan"}), "");
  EXPECT_NE(why_not("olga", SeeSession{""}), "") << "everybody's";
  EXPECT_EQ(why_not("rita", SeeSession{"dan"}), "");
}

TEST_F(Rules, HostsServeAndRenewAndNothingElse) {
  const Subject node{.kind = Subject::Kind::kNode, .name = "db-1", .id = prod_.id()};
  const Subject proxy{.kind = Subject::Kind::kProxy, .name = "proxy", .id = "1"};
  EXPECT_TRUE(authorize(node, ServeSessions{}, *auth_.store));
  EXPECT_TRUE(authorize(node, RenewCertificate{}, *auth_.store));
  EXPECT_TRUE(authorize(node, SeeNode{prod_}, *auth_.store));
  EXPECT_TRUE(authorize(proxy, RenewCertificate{}, *auth_.store));
  EXPECT_TRUE(authorize(proxy, ReportPresence{}, *auth_.store));
  EXPECT_FALSE(authorize(proxy, ServeSessions{}, *auth_.store));
  EXPECT_FALSE(authorize(node, ReportPresence{}, *auth_.store));
  for (const Subject& host : {node, proxy}) {
    EXPECT_FALSE(authorize(host, Administer{"tokens"}, *auth_.store)) << host.text();
    EXPECT_FALSE(authorize(host, SeeSession{"dan"}, *auth_.store)) << host.text();
  }
  EXPECT_FALSE(authorize(Auth::user("adam"), ServeSessions{}, *auth_.store));
  EXPECT_FALSE(authorize(Auth::user("adam"), ReportPresence{}, *auth_.store));
  EXPECT_FALSE(authorize(Auth::root(), ServeSessions{}, *auth_.store));
  EXPECT_FALSE(authorize(Auth::root(), ReportPresence{}, *auth_.store));
  EXPECT_TRUE(authorize(Auth::root(), Administer{"users"}, *auth_.store));
}

struct Match {
  const char* name;
  Labels role;
  Labels node;
  bool matches;
};
class NodeLabels : public testing::TestWithParam<Match> {};

TEST_P(NodeLabels, ChooseNodes) {
  v1::Role role;
  role.mutable_node_labels()->insert(GetParam().role.begin(), GetParam().role.end());
  v1::Node node;
  node.mutable_labels()->insert(GetParam().node.begin(), GetParam().node.end());
  EXPECT_EQ(labels_match(role.node_labels(), node), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Table, NodeLabels,
    testing::Values(Match{"none_reach_none", {}, {{"a", "1"}}, false},
                    Match{"star_reaches_all", {{"*", "*"}}, {}, true},
                    Match{"star_key_with_a_value_reaches_none", {{"*", "1"}}, {{"a", "1"}}, false},
                    Match{"equal", {{"a", "1"}}, {{"a", "1"}, {"b", "2"}}, true},
                    Match{"other_value", {{"a", "1"}}, {{"a", "2"}}, false},
                    Match{"missing", {{"a", "1"}}, {{"b", "1"}}, false},
                    Match{"any_value", {{"a", "*"}}, {{"a", "2"}}, true},
                    Match{"any_value_of_a_missing_label", {{"a", "*"}}, {}, false},
                    Match{"all_must_match", {{"a", "1"}, {"b", "1"}}, {{"a", "1"}, {"b", "2"}}, false}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- names

TEST(Names, RefuseWhatCouldMisleadALogAPathOrAUri) {
  for (const std::string& bad :
       std::vector<std::string>{"", "a b", "a/b", "..", "-a", "a\n", "ä", std::string(65, 'a')})
    EXPECT_FALSE(check_name("user", bad)) << bad;
  for (const std::string good : {"a", "Alice.B_c@example-1", "9"}) EXPECT_TRUE(check_name("user", good)) << good;
  for (const std::string& bad : std::vector<std::string>{"", "Web", "-web", "web_1", "a/b", std::string(64, 'a')})
    EXPECT_FALSE(check_host_name(bad)) << bad;
  for (const std::string bad : {"", "*", "-r", "a b", "../x"}) EXPECT_FALSE(check_login(bad)) << bad;
}

// ---- passwords

TEST(Password, IsKeptAsBcryptOfCost12) {
  const std::string hash = hash_password("correct horse").value();
  EXPECT_THAT(hash, testing::StartsWith("$2b$12$"));
  EXPECT_EQ(hash.size(), 60U);
  EXPECT_TRUE(password_matches("correct horse", hash));
  EXPECT_FALSE(password_matches("correct horsf", hash));
}

TEST(Password, MustBeOfUsefulLength) {
  EXPECT_EQ(message_of(check_new_password("1234567")), "password: 7 characters; at least 8");
  EXPECT_EQ(message_of(check_new_password(std::string(73, 'a'))), "password: 73 bytes; at most 72");
  EXPECT_TRUE(check_new_password(std::string(72, 'a')));
  EXPECT_FALSE(check_new_password(std::string("12345678\0", 9)));
}

TEST(Password, OfNobodyTakesAsLongAndNeverMatches) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(password_matches("correct horse", ""));
  // bcrypt of cost 12 cannot be done in 20 ms; a missing user must not answer at once.
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(20));
}

// ---- throttle

TEST(Throttle, HoldsBackANameThatFailsAndLetsItGoOnLater) {
  FakeClock clock;
  Throttle throttle(&clock, {.burst = 2, .per_second = 0.1}, {.burst = 100, .per_second = 100});
  EXPECT_TRUE(throttle.admit("alice"));
  EXPECT_TRUE(throttle.admit("alice"));
  EXPECT_EQ(message_of(throttle.admit("alice")), "too many failed attempts; try again in 10 s");
  EXPECT_TRUE(throttle.admit("bob"));
  clock.advance_s(10);
  EXPECT_TRUE(throttle.admit("alice"));
  EXPECT_FALSE(throttle.admit("alice"));
}

TEST(Throttle, IsNotFeltByWhoSucceeds) {
  FakeClock clock;
  Throttle throttle(&clock, {.burst = 1, .per_second = 0.1}, {.burst = 1, .per_second = 0.1});
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(throttle.admit("alice"));
    throttle.succeeded("alice");
  }
}

TEST(Throttle, HoldsBackAllTogetherWhenNamesAreGuessed) {
  FakeClock clock;
  Throttle throttle(&clock, {.burst = 5, .per_second = 0.1}, {.burst = 10, .per_second = 1});
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += throttle.admit(std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(admitted, 10);
}

}  // namespace
}  // namespace cairn::auth
