// Timestamps, made by openssl's own authority.
#include "recorder/proof/timestamp.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/child_process.h"
#include "base/file.h"

namespace cairn::recorder {
namespace {

using testing::HasSubstr;

constexpr const char* kConfig = R"([req]
distinguished_name = dn
x509_extensions = tsa_ext
prompt = no
[dn]
CN = a timestamp authority
[tsa_ext]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
)";

class Timestamps : public testing::Test {
 protected:
  Timestamps() {
    std::string name = testing::TempDir() + "cairn-tsa-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    EXPECT_TRUE(write_file_atomically(folder_ / "tsa.cnf", kConfig, 0600));
    EXPECT_TRUE(write_file_atomically(folder_ / "serial", "01\n", 0600));
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config tsa.cnf -keyout tsa.key "
        "-out tsa.pem 2>/dev/null",
        "");
  }
  ~Timestamps() override { std::filesystem::remove_all(folder_); }

  std::string run(const std::string& command, std::string_view input) const {
    const Result<std::string> output =
        run_command("cd " + folder_.string() + " && " + command, input, 1 << 20, std::chrono::seconds(60), nullptr);
    EXPECT_TRUE(output) << output.error().message;
    return output.value_or("");
  }
  std::string stamp(std::string_view query) const {
    return run("cat >query && openssl ts -reply -config tsa.cnf -queryfile query 2>/dev/null", query);
  }
  std::string authorities() const { return read_file(folder_ / "tsa.pem", 1 << 20).value(); }

  std::filesystem::path folder_;
};

TEST_F(Timestamps, AreAskedForAsOpensslReadsIt) {
  const std::string text = run("cat >query && openssl ts -query -in query -text", timestamp_query("a seal"));
  EXPECT_THAT(text, HasSubstr("Hash Algorithm: sha256"));
  EXPECT_THAT(text, HasSubstr("Certificate required: yes"));
  EXPECT_NE(timestamp_query("a seal"), timestamp_query("a seal")) << "each has a nonce of its own";
}

TEST_F(Timestamps, AreBelievedWhenATrustedAuthorityHasSignedThem) {
  const std::string response = stamp(timestamp_query("a seal"));
  const Result<int64_t> time = check_timestamp(response, "a seal", authorities());
  ASSERT_TRUE(time) << time.error().message;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(static_cast<double>(*time),
              static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(now).count()), 120);
  EXPECT_EQ(read_timestamp(response, "a seal").value(), *time);
}

TEST_F(Timestamps, OfOtherBytesOrByOthersAreNot) {
  const std::string response = stamp(timestamp_query("a seal"));
  EXPECT_EQ(check_timestamp(response, "another seal", authorities()).error().code, make_error_code(Errc::kCorrupt));
  EXPECT_EQ(check_timestamp(response, "a seal", "").error().code, make_error_code(Errc::kUnauthenticated));
  std::string altered = response;
  altered[altered.size() - 10] = static_cast<char>(altered[altered.size() - 10] ^ 1);
  EXPECT_FALSE(check_timestamp(altered, "a seal", authorities()));
}

TEST_F(Timestamps, ThatAreNoneAreRefused) {
  for (const std::string& wrong : {std::string(), std::string("nonsense"), std::string(kMaxTimestampBytes + 1, 'x')}) {
    EXPECT_FALSE(read_timestamp(wrong, "a seal"));
    EXPECT_FALSE(check_timestamp(wrong, "a seal", authorities()));
  }
  const std::string refusal = stamp("nonsense");
  EXPECT_THAT(read_timestamp(refusal, "a seal").error().message, HasSubstr("refused"));
}

}  // namespace
}  // namespace cairn::recorder
