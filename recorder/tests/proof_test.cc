// The tree and the signed notes against what others say they must be: the figures of RFC 6962's reference tests, and
// openssl(1) for the signatures.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "proto/audit.pb.h"
#include "recorder/proof/audit_entry.h"
#include "recorder/proof/audit_inclusion.h"
#include "recorder/proof/checkpoint.h"
#include "recorder/proof/merkle.h"
#include "recorder/proof/note.h"

namespace cairn::recorder {
namespace {

// Leaves and roots that certificate transparency's implementations test themselves with.
const std::vector<std::string> kEntries = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const std::vector<std::string> kRoots = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

TEST(Merkle, HasTheRootsThatOthersCompute) {
  EXPECT_EQ(to_hex(merkle_empty()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  MerkleFrontier frontier;
  MerkleTree tree;
  for (size_t i = 0; i < kEntries.size(); ++i) {
    frontier.add(merkle_leaf(from_hex(kEntries[i]).value()));
    tree.add(merkle_leaf(from_hex(kEntries[i]).value()));
    EXPECT_EQ(to_hex(frontier.root()), kRoots[i]);
    EXPECT_EQ(to_hex(tree.root(i + 1)), kRoots[i]);
  }
  for (size_t i = 0; i < kRoots.size(); ++i) EXPECT_EQ(to_hex(tree.root(i + 1)), kRoots[i]);
}

TEST(Merkle, ProvesEachLeafOfEachSizeAndNothingElse) {
  MerkleTree tree;
  for (uint64_t size = 1; size <= 33; ++size) {
    tree.add(merkle_leaf(std::to_string(size)));
    const std::string root = tree.root(size);
    for (uint64_t index = 0; index < size; ++index) {
      std::vector<std::string> proof = merkle_inclusion(index, size, tree.nodes()).value();
      EXPECT_TRUE(verify_inclusion(index, size, tree.leaf(index), proof, root));
      EXPECT_FALSE(verify_inclusion(index, size, merkle_leaf("other"), proof, root));
      if (size > 1) EXPECT_FALSE(verify_inclusion((index + 1) % size, size, tree.leaf(index), proof, root));
      proof.push_back(root);
      EXPECT_FALSE(verify_inclusion(index, size, tree.leaf(index), proof, root));
    }
  }
  EXPECT_FALSE(merkle_inclusion(33, 33, tree.nodes()));
}

TEST(Merkle, ProvesThatATreeOnlyGrew) {
  MerkleTree tree;
  for (uint64_t i = 0; i < 33; ++i) tree.add(merkle_leaf(std::to_string(i)));
  for (uint64_t size = 1; size <= 33; ++size) {
    for (uint64_t old_size = 0; old_size <= size; ++old_size) {
      const std::string old_root = merkle_root(old_size, tree.nodes()).value();
      const std::string root = tree.root(size);
      std::vector<std::string> proof = merkle_consistency(old_size, size, tree.nodes()).value();
      EXPECT_TRUE(verify_consistency(old_size, old_root, size, root, proof)) << old_size << " " << size;
      if (old_size == 0) continue;
      EXPECT_FALSE(verify_consistency(old_size, merkle_leaf("x"), size, root, proof));
      EXPECT_FALSE(verify_consistency(old_size, old_root, size, merkle_leaf("x"), proof));
      if (proof.empty()) continue;
      proof.pop_back();
      EXPECT_FALSE(verify_consistency(old_size, old_root, size, root, proof));
    }
  }
}

TEST(Note, BearsSignaturesOfTwoKinds) {
  const Ed25519Key session = Ed25519Key::generate();
  const Ed25519Key auth = Ed25519Key::generate();
  SignedNote note{.text = "demo/recordings/x\n1\nAAAA\n", .signatures = {}};
  sign_note(note, "demo/session", session);
  cosign_note(note, "demo/auth", auth, 1'700'000'000);
  const SignedNote read = parse_note(note_text(note)).value();
  EXPECT_EQ(note_text(read), note_text(note));
  EXPECT_TRUE(is_signed_by(read, {"demo/session", session.public_bytes()}));
  EXPECT_FALSE(is_signed_by(read, {"demo/session", auth.public_bytes()}));
  EXPECT_FALSE(is_signed_by(read, {"demo/auth", auth.public_bytes()}));
  EXPECT_EQ(cosigned_at(read, {"demo/auth", auth.public_bytes()}), 1'700'000'000);
  EXPECT_FALSE(cosigned_at(read, {"demo/session", session.public_bytes()}));
  SignedNote altered = read;
  altered.text[0] = 'D';
  EXPECT_FALSE(is_signed_by(altered, {"demo/session", session.public_bytes()}));
  EXPECT_FALSE(cosigned_at(altered, {"demo/auth", auth.public_bytes()}));
}

TEST(Note, IsCheckedByOpenssl) {
  const Ed25519Key key = Ed25519Key::generate();
  SignedNote note{.text = "demo/recordings/x\n1\nAAAA\n", .signatures = {}};
  sign_note(note, "demo", key);
  std::string name = testing::TempDir() + "cairn-note-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name.data());
  // RFC 8410: the SubjectPublicKeyInfo of Ed25519 is this and the 32 bytes.
  std::ofstream(folder / "key.der", std::ios::binary)
      << from_hex("302a300506032b6570032100").value() << key.public_bytes();
  std::ofstream(folder / "text", std::ios::binary) << note.text;
  std::ofstream(folder / "signature", std::ios::binary) << note.signatures[0].bytes.substr(4);
  const std::string verify = "cd " + folder.string() +
                             " && openssl pkeyutl -verify -rawin -pubin -inkey key.der -keyform DER -in text"
                             " -sigfile signature >/dev/null 2>&1";
  EXPECT_EQ(std::system(verify.c_str()), 0);
  std::ofstream(folder / "text", std::ios::binary) << note.text << "more";
  EXPECT_NE(std::system(verify.c_str()), 0);
  std::filesystem::remove_all(folder);
}

TEST(Note, RefusesWhatIsNone) {
  for (const char* text : {"", "\n", "a\n", "a\n\n", "a\n\nb\n", "a\n\n\xe2\x80\x94 n\n", "a\n\n\xe2\x80\x94 n AAA\n",
                           "a\n\n\xe2\x80\x94 n AAAAAAA=", "a\x01\n\n\xe2\x80\x94 n AAAAAAA=\n"}) {
    EXPECT_FALSE(parse_note(text)) << text;
  }
  EXPECT_EQ(parse_note(std::string(kMaxNoteBytes + 1, 'a')).error().code, Errc::kTooLarge);
}

TEST(Checkpoint, IsReadAsItWasWritten) {
  const Checkpoint checkpoint{.origin = "demo/recordings/4be643cb-94b0-4f55-b63a-0d0d3a7cb1d1",
                              .size = 17,
                              .root = sha256("root"),
                              .wall_ns = 1'700'000'000'123'456'789,
                              .open = Checkpoint::Open{.chunk = 17, .bytes = 3421, .hash = sha256("open")}};
  const std::string text = checkpoint_text(checkpoint);
  const Checkpoint read = parse_checkpoint(text).value();
  EXPECT_EQ(checkpoint_text(read), text);
  EXPECT_EQ(read.open->bytes, 3421);
  EXPECT_TRUE(parse_checkpoint(text + "later something\n"));
  for (const std::string& bad : {std::string("a\n1\n"), std::string("a\n01\n") + to_base64(sha256("")) + "\n",
                                 text + "\n", text + "open 1\n", text + "time x\n", text.substr(0, text.size() - 1)}) {
    EXPECT_FALSE(parse_checkpoint(bad)) << bad;
  }
}

// A log of nine events, of which the sixth is a recording's seal.
struct SealedLog {
  static constexpr uint64_t kEvent = 6;
  const std::string session = "4be643cb-94b0-4f55-b63a-0d0d3a7cb1d1";
  const std::string root = sha256("root");
  const Ed25519Key key = Ed25519Key::generate();
  const NoteKey auth{.name = "demo/log", .public_key = key.public_bytes()};
  audit::v1::AuditEvent seal;
  MerkleTree tree;

  SealedLog() {
    seal.set_id(6);
    seal.set_kind("session.end");
    seal.set_session_id(session);
    seal.set_message("\"quoted\" \xc3\xbc\n");
    (*seal.mutable_fields())["root"] = to_hex(root);
    for (uint64_t i = 1; i <= 9; ++i) tree.add(merkle_leaf(i == kEvent ? audit_entry(seal) : std::to_string(i)));
  }
  AuditInclusion inclusion(const std::string& origin = "demo/log") const {
    SignedNote note{.text = checkpoint_text({.origin = origin, .size = 9, .root = tree.root(9), .wall_ns = 5}),
                    .signatures = {}};
    sign_note(note, "demo/log", key);
    AuditInclusion made;
    made.set_entry(audit_entry(seal));
    made.set_leaf(kEvent);
    made.set_head(note_text(note));
    const std::vector<std::string> path = merkle_inclusion(kEvent - 1, 9, tree.nodes()).value();
    for (const std::string& hash : path) made.mutable_path()->append(hash);
    return made;
  }
  bool accepts(const AuditInclusion& made) const {
    return check_audit_inclusion(made, auth, session, root).has_value();
  }
};

TEST(AuditInclusion, SaysWhereTheSealStands) {
  const SealedLog log;
  const AuditPlace place = check_audit_inclusion(log.inclusion(), log.auth, log.session, log.root).value();
  EXPECT_EQ(place.event, 6U);
  EXPECT_EQ(place.events, 9U);
  EXPECT_EQ(place.signed_wall_ns, 5U);
}

TEST(AuditInclusion, IsNoOtherThanWhatAuthHasSigned) {
  const SealedLog log;
  for (const uint64_t leaf : {0U, 5U, 7U, 9U, 10U}) {
    AuditInclusion moved = log.inclusion();
    moved.set_leaf(leaf);
    EXPECT_FALSE(log.accepts(moved)) << leaf;
  }
  for (size_t i = 0; i < log.inclusion().path().size(); ++i) {
    AuditInclusion flipped = log.inclusion();
    (*flipped.mutable_path())[i] ^= 1;
    EXPECT_FALSE(log.accepts(flipped)) << i;
  }
  AuditInclusion cut = log.inclusion();
  cut.mutable_path()->resize(kHashBytes);
  EXPECT_FALSE(log.accepts(cut));
  AuditInclusion spaced = log.inclusion();
  spaced.mutable_entry()->insert(1, " ");
  EXPECT_FALSE(log.accepts(spaced)) << "the same event, written in another way";
  AuditInclusion unsigned_head = log.inclusion();
  unsigned_head.set_head(SealedLog().inclusion().head());
  EXPECT_FALSE(log.accepts(unsigned_head)) << "signed by another key";
  EXPECT_FALSE(log.accepts(log.inclusion("demo/recordings/x"))) << "signed, and no log";
}

TEST(AuditInclusion, IsOfThisRecordingAlone) {
  SealedLog log;
  EXPECT_FALSE(check_audit_inclusion(log.inclusion(), log.auth, "another", log.root));
  EXPECT_FALSE(check_audit_inclusion(log.inclusion(), log.auth, log.session, sha256("another")));
  SealedLog start;
  start.seal.set_kind("session.start");
  EXPECT_FALSE(start.accepts(start.inclusion()));
}

}  // namespace
}  // namespace cairn::recorder
