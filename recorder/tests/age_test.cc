// The age format against the public vectors of C2SP and against the age program itself, both ways.
#include "recorder/age/age.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/age/header.h"

namespace cairn::recorder {
namespace {

constexpr size_t kPlenty = size_t{1} << 26;

std::string inflate_all(std::string_view compressed) {
  std::string bytes(kPlenty, '\0');
  uLongf length = bytes.size();
  EXPECT_EQ(::uncompress(reinterpret_cast<Bytef*>(bytes.data()), &length,
                         reinterpret_cast<const Bytef*>(compressed.data()), compressed.size()),
            Z_OK);
  bytes.resize(length);
  return bytes;
}

struct Vector {
  std::map<std::string, std::string> facts;
  std::vector<AgeIdentity> identities;
  std::string file;
};

Vector read_vector(const std::filesystem::path& path) {
  const std::string text = read_file(path, kPlenty).value();
  Vector vector;
  size_t at = 0;
  while (text[at] != '\n') {
    const size_t end = text.find('\n', at);
    const size_t colon = text.find(": ", at);
    const std::string key = text.substr(at, colon - at);
    const std::string value = text.substr(colon + 2, end - colon - 2);
    if (key == "identity") vector.identities.push_back(AgeIdentity::parse(value).value());
    vector.facts[key] = value;
    at = end + 1;
  }
  vector.file = text.substr(at + 1);
  if (vector.facts["compressed"] == "zlib") vector.file = inflate_all(vector.file);
  return vector;
}

class AgeVectors : public testing::TestWithParam<std::string> {};

TEST_P(AgeVectors, IsReadAsItsAuthorsSay) {
  Vector vector = read_vector(std::filesystem::path(CAIRN_SOURCE_DIR) / "recorder/tests/age_vectors" / GetParam());
  const std::string expected = vector.facts["expect"];
  const Result<Secret> key = age_unwrap(vector.file, vector.identities);
  if (expected == "no match") {
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::kDenied);
    return;
  }
  if (expected == "header failure" || expected == "HMAC failure") {
    // The payload's nonce counts as of the header there; here it is read with the payload.
    const Result<std::string> payload = key ? age_decrypt(vector.file, key->view()) : Result<std::string>(fail(key));
    ASSERT_FALSE(payload);
    EXPECT_EQ(payload.error().code, Errc::kCorrupt);
    return;
  }
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(to_hex(key->view()), vector.facts["file key"]);
  const Result<std::string> payload = age_decrypt(vector.file, key->view());
  EXPECT_EQ(payload.has_value(), expected == "success");
  if (payload) EXPECT_EQ(to_hex(sha256(*payload)), vector.facts["payload"]);
  const AgeHeader header = parse_age_header(vector.file).value();
  EXPECT_EQ(finish_age_header(age_header_text(header.stanzas), header.mac), vector.file.substr(0, header.bytes));
}

std::vector<std::string> vector_names() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(CAIRN_SOURCE_DIR) / "recorder/tests/age_vectors")) {
    if (entry.path().extension() != ".md") names.push_back(entry.path().filename().string());
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(OfC2sp, AgeVectors, testing::ValuesIn(vector_names()),
                         [](const auto& each) { return each.param; });

// age(1) of Debian, on real files.
class AgeProgram : public testing::Test {
 protected:
  AgeProgram() {
    std::string name = testing::TempDir() + "cairn-age-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~AgeProgram() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::string read(const std::string& name) const { return read_file(folder_ / name, kPlenty).value(); }
  int run(const std::string& arguments) const {
    return std::system(("cd " + folder_.string() + " && " + arguments + " 2>error").c_str());
  }

  std::filesystem::path folder_;
};

const std::vector<size_t> kSizes = {0, 1, 65535, 65536, 65537, 131072, 300000};

TEST_F(AgeProgram, DecryptsWhatWeEncryptForEachOfSeveral) {
  const AgeIdentity first = AgeIdentity::generate();
  const AgeIdentity second = AgeIdentity::generate();
  const std::vector<AgeRecipient> recipients = {first.recipient(), second.recipient()};
  for (const size_t size : kSizes) {
    const std::string plaintext = random_bytes(size);
    const std::string file = age_encrypt(plaintext, random_bytes(kAgeFileKeyBytes), recipients);
    EXPECT_EQ(file.size(), age_size(size, recipients.size()));
    write("file.age", file);
    for (const AgeIdentity* identity : {&first, &second}) {
      write("key", identity->text().view());
      ASSERT_EQ(run("age -d -i key file.age >plain"), 0) << read("error");
      EXPECT_TRUE(read("plain") == plaintext) << size;
    }
  }
}

TEST_F(AgeProgram, EncryptsWhatWeDecrypt) {
  ASSERT_EQ(run("age-keygen -o key"), 0);
  const std::vector<AgeIdentity> identities = parse_age_identities(read("key")).value();
  ASSERT_EQ(identities.size(), 1);
  for (const size_t size : kSizes) {
    const std::string plaintext = random_bytes(size);
    write("plain", plaintext);
    ASSERT_EQ(run("age -r " + identities[0].recipient().text() + " -o file.age plain"), 0) << read("error");
    const std::string file = read("file.age");
    const Result<Secret> key = age_unwrap(file, identities);
    ASSERT_TRUE(key) << key.error().message;
    EXPECT_TRUE(age_decrypt(file, key->view()).value() == plaintext) << size;
  }
}

TEST(Age, RefusesKeysThatAreNone) {
  EXPECT_FALSE(AgeRecipient::parse("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqs3290gq"));
  EXPECT_FALSE(AgeRecipient::parse(AgeIdentity::generate().text().view()));
  const std::string good = AgeIdentity::generate().recipient().text();
  EXPECT_TRUE(AgeRecipient::parse(good));
  for (size_t i = 4; i < good.size(); ++i) {
    std::string mistyped = good;
    mistyped[i] = mistyped[i] == 'q' ? 'p' : 'q';
    EXPECT_FALSE(AgeRecipient::parse(mistyped)) << i;
  }
  const Result<std::vector<AgeIdentity>> identities = parse_age_identities("# a comment\n\nnonsense\n");
  ASSERT_FALSE(identities);
  EXPECT_NE(identities.error().message.find("line 3"), std::string::npos);
}

TEST(Age, NoticesEveryFlippedBit) {
  const AgeIdentity identity = AgeIdentity::generate();
  const std::vector<AgeRecipient> recipients = {identity.recipient()};
  const std::vector<AgeIdentity> identities = [&] {
    std::vector<AgeIdentity> all;
    all.push_back(AgeIdentity::parse(identity.text().view()).value());
    return all;
  }();
  std::string file = age_encrypt("what was typed", random_bytes(kAgeFileKeyBytes), recipients);
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << (bit % 8));
    const Result<Secret> key = age_unwrap(file, identities);
    EXPECT_FALSE(key && age_decrypt(file, key->view())) << bit;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << (bit % 8));
  }
}

}  // namespace
}  // namespace cairn::recorder
