#include <gmock/gmock.h>

#include "auth/tests/recording_fixture.h"
#include "base/file.h"

namespace cairn::auth {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

// Recordings whose secrets are sealed as a node seals them; what they hold lies open, which nobody here looks at.
class KeyRotation : public testing::Test {
 protected:
  std::vector<recorder::Recipient> recipients_now() {
    std::vector<recorder::Recipient> parsed;
    for (const std::string& text : archive_.keys->recipients())
      parsed.push_back(recorder::parse_recipient(text).value());
    return parsed;
  }
  // A session of now, to whoever it is to be encrypted to.
  std::string begin(std::vector<recorder::Recipient> recipients) {
    archive_.recording = archive_.authorized();
    const auto keys = recorder::RecordingKeys::make(std::move(recipients));
    archive_.recording.sealed_secret = keys.sealed_secret();
    return std::string(keys.secret());
  }
  void upload_all() {
    for (uint64_t i = 0; const std::string& chunk : archive_.recording.chunks())
      ASSERT_TRUE(archive_.upload(i++, chunk));
  }
  std::string record() {
    std::string secret = begin(recipients_now());
    upload_all();
    return secret;
  }
  void restart(std::vector<std::string> recipients) {
    archive_.recipients = std::move(recipients);
    archive_.open();
  }

  v1::Response rotate(const Subject& who = Auth::root()) {
    v1::Request request;
    request.mutable_rotate_recording_key();
    return archive_.ask(who, request);
  }
  v1::Response rewrap(const Subject& who = Auth::root(), const std::string& after = "", uint32_t limit = 0) {
    v1::Request request;
    request.mutable_rewrap_recordings()->set_after_session_id(after);
    request.mutable_rewrap_recordings()->set_limit(limit);
    return archive_.ask(who, request);
  }
  v1::Response drop(const Subject& who = Auth::root()) {
    v1::Request request;
    request.mutable_drop_recording_keys();
    return archive_.ask(who, request);
  }
  v1::ReadRecordingResponse read(const std::string& session) {
    v1::Request request;
    request.mutable_read_recording()->set_session_id(session);
    return archive_.as_root(request).read_recording();
  }
  static Result<std::string> opened(const std::string& sealed, const recorder::Identity& identity) {
    const Result<recorder::RecordingKeys> keys = recorder::open_secret(sealed, std::span(&identity, 1));
    if (!keys) return fail(keys);
    return std::string(keys->secret());
  }
  const std::string& id() const { return archive_.recording.session_id; }

  Archive archive_;
};

TEST_F(KeyRotation, EncryptsWhatComesToTheNewKeyAndReadsWhatIsThere) {
  const std::string old_key = archive_.keys->current();
  const std::string old_secret = record();
  const std::string old = id();
  const v1::Response rotated = rotate();
  ASSERT_TRUE(rotated.has_rotate_recording_key()) << rotated.error().message();
  EXPECT_NE(rotated.rotate_recording_key().recipient(), old_key);
  EXPECT_EQ(rotated.rotate_recording_key().old_keys(), 1U);
  EXPECT_THAT(archive_.keys->recipients(), testing::ElementsAre(rotated.rotate_recording_key().recipient()));
  const std::string new_secret = record();
  restart({"cluster"});
  EXPECT_EQ(archive_.keys->current(), rotated.rotate_recording_key().recipient()) << "across a restart";
  EXPECT_EQ(read(old).secret(), old_secret);
  EXPECT_EQ(read(id()).secret(), new_secret);
  ASSERT_THAT(archive_.audit("keys.rotate"), SizeIs(1));
  EXPECT_EQ(archive_.audit("keys.rotate")[0].fields().at("before"), old_key);
}

TEST_F(KeyRotation, GivesRecordingsToWhoCameLaterWithoutTouchingThem) {
  const std::string secret = record();
  const std::string before = read_file(archive_.file(), 1 << 20).value();
  const recorder::Identity auditor = recorder::AgeIdentity::generate();
  EXPECT_EQ(read(id()).keys(), "");
  restart({"cluster", recipient_text(recipient_of(auditor))});
  const v1::RewrapRecordingsResponse first = rewrap().rewrap_recordings();
  EXPECT_EQ(first.wrapped(), 1U);
  EXPECT_EQ(read_file(archive_.file(), 1 << 20).value(), before);
  const std::string keys = read(id()).keys();
  EXPECT_EQ(opened(keys, auditor).value(), secret);
  EXPECT_EQ(code_of(opened(keys, recorder::AgeIdentity::generate())), Errc::kDenied);
  const v1::RewrapRecordingsResponse second = rewrap().rewrap_recordings();
  EXPECT_EQ(second.wrapped(), 0U) << "once";
  EXPECT_EQ(second.unchanged(), 2U) << "and the session of which nothing has come";
  ASSERT_THAT(archive_.audit("keys.rewrap"), SizeIs(1));
  EXPECT_THAT(archive_.audit("keys.rewrap")[0].fields().at("recipients"),
              HasSubstr(recipient_text(recipient_of(auditor))));
}

// An auditor of each kind, of whom one comes by a PEM file.
TEST_F(KeyRotation, GivesRecordingsToHoldersOfCertificates) {
  const std::string secret = record();
  const recorder::Identity age = recorder::AgeIdentity::generate();
  const recorder::Identity cms = recorder::CmsIdentity::generate();
  const std::string text = recipient_text(recipient_of(cms));
  const std::string pem = archive_.folder.path() / "auditor.pem";
  ASSERT_TRUE(write_file_atomically(
      pem, "-----BEGIN PUBLIC KEY-----\n" + text.substr(4) + "\n-----END PUBLIC KEY-----\n", 0644));
  restart({"cluster", pem, recipient_text(recipient_of(age))});
  EXPECT_THAT(archive_.keys->recipients(), testing::Contains(text));
  EXPECT_EQ(rewrap().rewrap_recordings().wrapped(), 1U);
  const std::string keys = read(id()).keys();
  EXPECT_EQ(opened(keys, age).value(), secret);
  EXPECT_EQ(opened(keys, cms).value(), secret);
  EXPECT_EQ(code_of(opened(keys, recorder::CmsIdentity::generate())), Errc::kDenied);
  ASSERT_TRUE(rotate().has_rotate_recording_key());
  const std::string next = record();
  EXPECT_EQ(read(id()).secret(), next) << "auth among them";
  EXPECT_EQ(opened(archive_.recording.sealed_secret, cms).value(), next);
  restart({text});
  const std::string locked = record();
  EXPECT_EQ(read(id()).secret(), "") << "auth is not among them";
  EXPECT_EQ(opened(archive_.recording.sealed_secret, cms).value(), locked);
}

TEST_F(KeyRotation, SaysWhatIsNoRecipient) {
  const std::string junk = archive_.folder.path() / "junk.pem";
  ASSERT_TRUE(write_file_atomically(junk, "nothing", 0644));
  for (const std::string& wrong :
       {junk, std::string("/nowhere/auditor.pem"), std::string("cms:AAAA"), std::string("bob")}) {
    const auto keys = ClusterKeys::open(archive_.folder.path() / "ca", "test", {"cluster", wrong});
    ASSERT_FALSE(keys) << wrong;
    EXPECT_EQ(code_of(keys), Errc::kInvalid);
    EXPECT_THAT(keys.error().message, HasSubstr(wrong));
  }
}

TEST_F(KeyRotation, LeavesWhatOthersAreToRead) {
  const recorder::Identity auditor = recorder::AgeIdentity::generate();
  restart({recipient_text(recipient_of(auditor))});
  record();
  restart({"cluster"});
  const v1::RewrapRecordingsResponse answer = rewrap().rewrap_recordings();
  EXPECT_EQ(answer.wrapped(), 0U);
  EXPECT_EQ(answer.locked(), 1U);
  EXPECT_EQ(read(id()).keys(), "");
}

TEST_F(KeyRotation, GoesThroughAllInBatches) {
  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    record();
    ids.insert(id());
  }
  ASSERT_TRUE(rotate().has_rotate_recording_key());
  uint32_t wrapped = 0;
  std::string after;
  do {
    const v1::RewrapRecordingsResponse batch = rewrap(Auth::root(), after, 2).rewrap_recordings();
    EXPECT_LE(batch.wrapped() + batch.unchanged(), 2U);
    wrapped += batch.wrapped();
    after = batch.last_session_id();
  } while (!after.empty());
  EXPECT_EQ(wrapped, 5U);
  for (const std::string& each : ids) EXPECT_NE(read(each).keys(), "");
}

TEST_F(KeyRotation, ForgetsOldKeysOnlyWhenNothingNeedsThem) {
  archive_.clock.advance_s(31 * 86'400);  // the fixture's session is not waited for any more
  const std::string secret = record();
  EXPECT_EQ(drop().drop_recording_keys().dropped(), 0U);
  ASSERT_TRUE(rotate().has_rotate_recording_key());
  const v1::Response refused = drop();
  EXPECT_THAT(refused.error().message(), HasSubstr(id()));
  EXPECT_THAT(refused.error().message(), HasSubstr("cairn keys rewrap"));
  EXPECT_THAT(archive_.audit("keys.drop"), SizeIs(0));
  EXPECT_EQ(rewrap().rewrap_recordings().wrapped(), 1U);
  const std::string old = archive_.keys->old_recipients().at(0);
  EXPECT_EQ(drop().drop_recording_keys().dropped(), 1U);
  EXPECT_THAT(archive_.keys->old_recipients(), SizeIs(0));
  EXPECT_EQ(archive_.audit("keys.drop").back().fields().at("dropped"), old);
  restart({"cluster"});
  EXPECT_EQ(read(id()).secret(), secret) << "by the file beside it";
  std::filesystem::remove(archive_.folder.path() / "recordings" / (id() + ".keys"));
  EXPECT_EQ(read(id()).secret(), "") << "and by nothing else";
}

TEST_F(KeyRotation, WaitsForWhatIsStillToCome) {
  archive_.clock.advance_s(31 * 86'400);
  const std::string secret = begin(recipients_now());
  ASSERT_TRUE(rotate().has_rotate_recording_key());
  EXPECT_EQ(rewrap().rewrap_recordings().wrapped(), 0U);
  EXPECT_THAT(drop().error().message(), HasSubstr(id()));
  upload_all();
  EXPECT_EQ(rewrap().rewrap_recordings().wrapped(), 1U);
  EXPECT_EQ(drop().drop_recording_keys().dropped(), 1U);
  EXPECT_EQ(read(id()).secret(), secret);
}

TEST_F(KeyRotation, ForgetsForAuditorsWhatAuthIsNoLongerToRead) {
  archive_.clock.advance_s(31 * 86'400);
  const std::string secret = record();
  const recorder::Identity auditor = recorder::AgeIdentity::generate();
  restart({recipient_text(recipient_of(auditor))});
  ASSERT_TRUE(rotate().has_rotate_recording_key());
  EXPECT_TRUE(drop().has_error());
  EXPECT_EQ(rewrap().rewrap_recordings().wrapped(), 1U);
  EXPECT_EQ(drop().drop_recording_keys().dropped(), 1U);
  EXPECT_EQ(read(id()).secret(), "") << "not auth";
  EXPECT_EQ(opened(read(id()).keys(), auditor).value(), secret);
}

TEST_F(KeyRotation, IsForTheVerbAlone) {
  record();
  archive_.put_user("rita", {"auditor"});
  for (const Subject& who : {Auth::user("rita"), Auth::user("alice"), archive_.node}) {
    EXPECT_EQ(rotate(who).error().code(), v1::ERROR_CODE_DENIED);
    EXPECT_EQ(rewrap(who).error().code(), v1::ERROR_CODE_DENIED);
    EXPECT_EQ(drop(who).error().code(), v1::ERROR_CODE_DENIED);
  }
  archive_.put_role("keykeeper", {}, {}, {"keys"});
  archive_.put_user("kim", {"keykeeper"});
  EXPECT_TRUE(rotate(Auth::user("kim")).has_rotate_recording_key());
}

TEST_F(KeyRotation, GoesWithTheRecording) {
  record();
  ASSERT_TRUE(rotate().has_rotate_recording_key());
  EXPECT_EQ(rewrap().rewrap_recordings().wrapped(), 1U);
  v1::Request request;
  request.mutable_delete_recording()->set_session_id(id());
  request.mutable_delete_recording()->set_reason("x");
  ASSERT_TRUE(archive_.as_root(request).has_done());
  EXPECT_THAT(archive_.chunks->session_ids().value(), SizeIs(0)) << "its keys file too";
}

}  // namespace
}  // namespace cairn::auth
