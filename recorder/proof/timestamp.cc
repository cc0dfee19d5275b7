#include "recorder/proof/timestamp.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "base/bytes.h"
#include "base/free_with.h"
#include "base/must.h"
#include "recorder/crypto.h"

namespace cairn::recorder {
namespace {

using Response = std::unique_ptr<TS_RESP, FreeWith<TS_RESP_free>>;
using Store = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;

constexpr size_t kQueryNonceBytes = 8;

Failure no(const char* why) { return fail(Errc::kCorrupt, why); }

Result<Response> parse(std::string_view der) {
  if (der.size() > kMaxTimestampBytes) return no("a timestamp of that size");
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  Response response(d2i_TS_RESP(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!response) return no("no response of a timestamp authority");
  const ASN1_INTEGER* status = TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(response.get()));
  const long code = ASN1_INTEGER_get(status);
  if ((code != TS_STATUS_GRANTED && code != TS_STATUS_GRANTED_WITH_MODS) ||
      TS_RESP_get_tst_info(response.get()) == nullptr)
    return no("the timestamp authority has refused");
  return response;
}

Result<int64_t> time_of(TS_RESP& response, std::string_view data) {
  TS_TST_INFO* info = TS_RESP_get_tst_info(&response);
  TS_MSG_IMPRINT* imprint = TS_TST_INFO_get_msg_imprint(info);
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr, TS_MSG_IMPRINT_get_algo(imprint));
  const ASN1_OCTET_STRING* hash = TS_MSG_IMPRINT_get_msg(imprint);
  const std::string_view stamped(reinterpret_cast<const char*>(ASN1_STRING_get0_data(hash)),
                                 static_cast<size_t>(ASN1_STRING_length(hash)));
  if (OBJ_obj2nid(algorithm) != NID_sha256 || stamped != sha256(data)) return no("the timestamp is for other bytes");
  tm fields{};
  if (ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &fields) != 1) return no("the timestamp has no time");
  return static_cast<int64_t>(::timegm(&fields));
}

// As it was at that time: a timestamp outlives the certificate that signed it.
Store store_of(const std::string& pem, int64_t at_wall_s) {
  Store store(X509_STORE_new());
  must(store != nullptr);
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), at_wall_s);
  const std::unique_ptr<BIO, FreeWith<BIO_vfree>> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  must(bio != nullptr);
  for (;;) {
    const std::unique_ptr<X509, FreeWith<X509_free>> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    must(X509_STORE_add_cert(store.get(), certificate.get()) == 1);
  }
  ERR_clear_error();
  return store;
}

}  // namespace

std::string timestamp_query(std::string_view data) {
  const std::unique_ptr<TS_REQ, FreeWith<TS_REQ_free>> query(TS_REQ_new());
  const std::unique_ptr<TS_MSG_IMPRINT, FreeWith<TS_MSG_IMPRINT_free>> imprint(TS_MSG_IMPRINT_new());
  const std::unique_ptr<X509_ALGOR, FreeWith<X509_ALGOR_free>> algorithm(X509_ALGOR_new());
  const std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>> nonce(ASN1_INTEGER_new());
  must(query && imprint && algorithm && nonce);
  std::string hash = sha256(data);
  // Positive: no encoder has to prepend a zero.
  std::string random = random_bytes(kQueryNonceBytes);
  random[0] = static_cast<char>((static_cast<unsigned char>(random[0]) & 0x3f) | 0x40);
  must(X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) == 1);
  must(TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get()) == 1);
  must(TS_MSG_IMPRINT_set_msg(imprint.get(), reinterpret_cast<unsigned char*>(hash.data()),
                              static_cast<int>(hash.size())) == 1);
  must(ASN1_STRING_set(nonce.get(), random.data(), static_cast<int>(random.size())) == 1);
  must(TS_REQ_set_version(query.get(), 1) == 1 && TS_REQ_set_msg_imprint(query.get(), imprint.get()) == 1 &&
       TS_REQ_set_nonce(query.get(), nonce.get()) == 1 && TS_REQ_set_cert_req(query.get(), 1) == 1);
  unsigned char* der = nullptr;
  const int bytes = i2d_TS_REQ(query.get(), &der);
  must(bytes > 0);
  std::string encoded(reinterpret_cast<char*>(der), static_cast<size_t>(bytes));
  OPENSSL_free(der);
  return encoded;
}

Result<int64_t> read_timestamp(std::string_view response, std::string_view data) {
  const Result<Response> parsed = parse(response);
  if (!parsed) return fail(parsed);
  return time_of(**parsed, data);
}

Result<int64_t> check_timestamp(std::string_view response, std::string_view data, const std::string& authorities_pem) {
  const Result<Response> parsed = parse(response);
  if (!parsed) return fail(parsed);
  const Result<int64_t> time = time_of(**parsed, data);
  if (!time) return time;
  const std::unique_ptr<TS_VERIFY_CTX, FreeWith<TS_VERIFY_CTX_free>> context(TS_VERIFY_CTX_new());
  must(context != nullptr);
  TS_VERIFY_CTX_set_flags(context.get(), TS_VFY_SIGNATURE | TS_VFY_VERSION);
  TS_VERIFY_CTX_set_store(context.get(), store_of(authorities_pem, *time).release());
  const bool is_signed = TS_RESP_verify_response(context.get(), parsed->get()) == 1;
  ERR_clear_error();
  if (!is_signed)
    return fail(Errc::kUnauthenticated, "no timestamp authority that is trusted has signed the timestamp");
  return time;
}

}  // namespace cairn::recorder
