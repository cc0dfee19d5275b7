#include "recorder/cms/cms.h"

#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/free_with.h"
#include "base/must.h"
#include "recorder/cms/cms_shape.h"
#include "recorder/cms/der.h"

namespace cairn::recorder {
namespace {

using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using Cms = std::unique_ptr<CMS_ContentInfo, FreeWith<CMS_ContentInfo_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Octets = std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>>;

constexpr std::string_view kTextPrefix = "cms:";
constexpr size_t kMaxSpkiBytes = 2048;  // RSA of 8192 bits has 1062

// What OpenSSL has to say stays in no queue: who speaks TLS on this thread would take it for their own.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { ERR_pop_to_mark(); }
};

BioPtr reading(std::string_view bytes) {
  BioPtr bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  must(bio != nullptr);
  return bio;
}

// Keeps PEM_read_bio_* from asking at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

std::string written(BIO* bio) {
  char* at = nullptr;
  const long bytes = BIO_get_mem_data(bio, &at);
  return {at, static_cast<size_t>(bytes)};
}

Result<void> check_kind(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits >= kMinRsaBits && bits <= kMaxRsaBits) return {};
    return fail(Errc::kInvalid,
                fmt::format("an RSA key of {} bits; {} to {} are possible", bits, kMinRsaBits, kMaxRsaBits));
  }
  char group[64] = {};
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 &&
      std::string_view(group) == SN_X9_62_prime256v1) {
    return {};
  }
  return fail(Errc::kInvalid, "a key of another kind; P-256 and RSA are possible");
}

std::string spki_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int bytes = i2d_PUBKEY(key, &der);
  must(bytes > 0);
  std::string spki(reinterpret_cast<const char*>(der), static_cast<size_t>(bytes));
  OPENSSL_free(der);
  return spki;
}

Pkey key_of(std::string_view spki) {
  const auto* at = reinterpret_cast<const unsigned char*>(spki.data());
  const unsigned char* end = at + spki.size();
  Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  return at == end ? std::move(key) : nullptr;
}

// OpenSSL takes recipients as certificates alone; this one says nothing but key and key identifier.
X509Ptr bare_certificate(EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  must(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
       X509_set_pubkey(certificate.get(), key) == 1);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  must(X509_pubkey_digest(certificate.get(), EVP_sha1(), digest, &bytes) == 1);
  const Octets identifier(ASN1_OCTET_STRING_new());
  must(identifier && ASN1_OCTET_STRING_set(identifier.get(), digest, static_cast<int>(bytes)) == 1 &&
       X509_add1_ext_i2d(certificate.get(), NID_subject_key_identifier, identifier.get(), 0, X509V3_ADD_DEFAULT) == 1);
  // Unsigned it has no encoding, and OpenSSL none of its extensions.
  const Pkey anybody(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  must(X509_sign(certificate.get(), anybody.get(), nullptr) > 0);
  return certificate;
}

void add_recipient(CMS_ContentInfo* cms, const CmsRecipient& recipient) {
  const Pkey key = key_of(recipient.spki());
  must(key != nullptr);
  const X509Ptr certificate = bare_certificate(key.get());
  CMS_RecipientInfo* info = CMS_add1_recipient_cert(cms, certificate.get(), CMS_USE_KEYID | CMS_KEY_PARAM);
  must(info != nullptr);
  EVP_PKEY_CTX* context = CMS_RecipientInfo_get0_pkey_ctx(info);
  must(context != nullptr);
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA) {
    must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1);
  } else {
    must(EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) == 1);
  }
}

// True when the content's key is open.
bool open_transported(CMS_ContentInfo* cms, CMS_RecipientInfo* info, EVP_PKEY* key) {
  X509_ALGOR* algorithm = nullptr;
  const ASN1_OBJECT* name = nullptr;
  if (CMS_RecipientInfo_ktri_get0_algs(info, nullptr, nullptr, &algorithm) != 1) return false;
  X509_ALGOR_get0(&name, nullptr, nullptr, algorithm);
  if (OBJ_obj2nid(name) != NID_rsaesOaep || EVP_PKEY_up_ref(key) != 1) return false;
  const bool is_open = CMS_RecipientInfo_set0_pkey(info, key) == 1 && CMS_RecipientInfo_decrypt(cms, info) == 1;
  CMS_RecipientInfo_set0_pkey(info, nullptr);
  return is_open;
}

bool open_agreed(CMS_ContentInfo* cms, CMS_RecipientInfo* info, EVP_PKEY* key) {
  STACK_OF(CMS_RecipientEncryptedKey)* wrapped = CMS_RecipientInfo_kari_get0_reks(info);
  // We write one in each; more would be tried without end.
  if (sk_CMS_RecipientEncryptedKey_num(wrapped) != 1) return false;
  if (CMS_RecipientInfo_kari_set0_pkey(info, key) != 1) return false;
  const bool is_open = CMS_RecipientInfo_kari_decrypt(cms, info, sk_CMS_RecipientEncryptedKey_value(wrapped, 0)) == 1;
  CMS_RecipientInfo_kari_set0_pkey(info, nullptr);
  return is_open;
}

bool open_key(CMS_ContentInfo* cms, EVP_PKEY* key) {
  const int wanted = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? CMS_RECIPINFO_TRANS : CMS_RECIPINFO_AGREE;
  STACK_OF(CMS_RecipientInfo)* all = CMS_get0_RecipientInfos(cms);
  for (int i = 0; i < sk_CMS_RecipientInfo_num(all); ++i) {
    CMS_RecipientInfo* info = sk_CMS_RecipientInfo_value(all, i);
    if (CMS_RecipientInfo_type(info) != wanted) continue;
    if (wanted == CMS_RECIPINFO_TRANS ? open_transported(cms, info, key) : open_agreed(cms, info, key)) return true;
  }
  return false;
}

}  // namespace

Result<CmsRecipient> CmsRecipient::of(EVP_PKEY* key) {
  if (Result<void> possible = check_kind(key); !possible) return fail(possible);
  const KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  must(context != nullptr);
  if (EVP_PKEY_public_check(context.get()) != 1) return fail(Errc::kInvalid, "a public key that protects nothing");
  return CmsRecipient(spki_of(key));
}

Result<CmsRecipient> CmsRecipient::parse(std::string_view text) {
  const QuietErrors quiet;
  if (!text.starts_with(kTextPrefix) || text.size() > kTextPrefix.size() + kMaxSpkiBytes * 4 / 3) {
    return fail(Errc::kInvalid, "no public key for CMS");
  }
  const Result<std::string> spki = from_base64(text.substr(kTextPrefix.size()));
  if (!spki) return fail(Errc::kInvalid, "a public key for CMS that is no base64");
  const Pkey key = key_of(*spki);
  if (!key) return fail(Errc::kInvalid, "a public key for CMS that is none");
  Result<CmsRecipient> recipient = of(key.get());
  // One text for each key.
  if (recipient && recipient->text() != text) return fail(Errc::kInvalid, "a public key for CMS in an unusual form");
  return recipient;
}

Result<CmsRecipient> CmsRecipient::from_pem(std::string_view pem) {
  const QuietErrors quiet;
  if (pem.size() > kMaxPemBytes) return fail(Errc::kTooLarge, fmt::format("more than {} bytes", kMaxPemBytes));
  const X509Ptr certificate(PEM_read_bio_X509(reading(pem).get(), nullptr, no_passphrase, nullptr));
  if (certificate) {
    EVP_PKEY* key = X509_get0_pubkey(certificate.get());
    if (key == nullptr) return fail(Errc::kInvalid, "a certificate whose key cannot be read");
    return of(key);
  }
  const Pkey key(PEM_read_bio_PUBKEY(reading(pem).get(), nullptr, no_passphrase, nullptr));
  if (!key) return fail(Errc::kInvalid, "it holds no certificate and no public key in PEM");
  return of(key.get());
}

std::string CmsRecipient::text() const { return std::string(kTextPrefix) + to_base64(spki_); }

CmsIdentity CmsIdentity::generate() {
  Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  must(key != nullptr);
  return CmsIdentity(std::move(key));
}

Result<std::vector<CmsIdentity>> CmsIdentity::parse_all(std::string_view pem) {
  const QuietErrors quiet;
  if (pem.size() > kMaxPemBytes) return fail(Errc::kTooLarge, fmt::format("more than {} bytes", kMaxPemBytes));
  const BioPtr bio = reading(pem);
  std::vector<CmsIdentity> identities;
  for (;;) {
    Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) break;
    if (Result<void> possible = check_kind(key.get()); !possible) return fail(possible);
    identities.push_back(CmsIdentity(std::move(key)));
  }
  if (!identities.empty()) return identities;
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return fail(Errc::kInvalid, "a passphrase protects the key; \"openssl pkey -in KEY -out PLAIN\" takes it off");
  }
  return fail(Errc::kInvalid, "it holds no private key in PEM");
}

Secret CmsIdentity::pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  must(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Secret(written(bio.get()));
}

CmsRecipient CmsIdentity::recipient() const { return CmsRecipient(spki_of(key_.get())); }

std::string cms_seal(std::string_view secret, std::span<const CmsRecipient> recipients) {
  const Cms cms(CMS_AuthEnvelopedData_create(EVP_aes_256_gcm()));
  must(cms && CMS_set_detached(cms.get(), 0) == 1);
  for (const CmsRecipient& recipient : recipients) add_recipient(cms.get(), recipient);
  const BioPtr content = reading(secret);
  const BioPtr out(BIO_new(BIO_s_mem()));
  must(out && CMS_final(cms.get(), content.get(), nullptr, CMS_BINARY) == 1 && i2d_CMS_bio(out.get(), cms.get()) == 1);
  return written(out.get());
}

Result<size_t> cms_size(std::string_view bytes) {
  DerReader reader(bytes.substr(0, kMaxCmsBytes));
  if (const Result<std::string_view> taken = reader.take(kDerSequence); !taken) {
    return fail(Errc::kCorrupt, fmt::format("CMS: no value of at most {} bytes", kMaxCmsBytes));
  }
  return std::min(bytes.size(), kMaxCmsBytes) - reader.rest().size();
}

Result<Secret> cms_open(std::string_view der, const CmsIdentity& identity) {
  if (Result<void> known = check_cms_shape(der); !known) return fail(known);
  const QuietErrors quiet;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const Cms cms(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(der.size())));
  if (!cms) return fail(Errc::kCorrupt, "CMS: it cannot be read");
  if (!open_key(cms.get(), identity.key())) {
    return fail(Errc::kDenied, "it is encrypted to other keys than those given");
  }
  const BioPtr out(BIO_new(BIO_s_secmem()));
  must(out != nullptr);
  if (CMS_decrypt(cms.get(), nullptr, nullptr, nullptr, out.get(), CMS_BINARY) != 1) {
    return fail(Errc::kCorrupt, "CMS: altered");
  }
  return Secret(written(out.get()));
}

}  // namespace cairn::recorder
