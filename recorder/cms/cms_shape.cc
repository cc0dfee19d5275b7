#include "recorder/cms/cms_shape.h"

#include "recorder/cms/cms.h"
#include "recorder/cms/der.h"

namespace cairn::recorder {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kAuthEnvelopedData = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17"sv;  // RFC 5083 §2
constexpr std::string_view kData = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"sv;                       // RFC 5652 §4
constexpr std::string_view kAes256Gcm = "\x60\x86\x48\x01\x65\x03\x04\x01\x2e"sv;                  // RFC 5084 §3.2
constexpr std::string_view kTagLength = "\x10"sv;

Failure bad(std::string_view what) { return fail(Errc::kCorrupt, "CMS: " + std::string(what)); }

// The contents of the next value must be these.
bool take_just(DerReader& reader, uint8_t tag, std::string_view wanted) {
  const Result<std::string_view> found = reader.take(tag);
  return found && *found == wanted;
}

Result<void> check_recipients(std::string_view set) {
  DerReader recipients(set);
  for (size_t count = 0; !recipients.is_at_end(); ++count) {
    if (count == kMaxCmsRecipients) return bad("too many recipients");
    const uint8_t tag = recipients.next_tag().value_or(0);
    if (tag != kDerSequence && tag != kDerContext1Constructed) return bad("a recipient of another kind");
    if (Result<std::string_view> taken = recipients.take(tag); !taken) return fail(taken, "CMS recipient");
  }
  return {};
}

Result<void> check_content(std::string_view info) {
  DerReader reader(info);
  if (!take_just(reader, kDerOid, kData)) return bad("it holds something else than data");
  const Result<std::string_view> algorithm = reader.take(kDerSequence);
  if (!algorithm) return fail(algorithm, "CMS algorithm");
  DerReader cipher(*algorithm);
  if (!take_just(cipher, kDerOid, kAes256Gcm)) return bad("its content is not encrypted with AES-256-GCM");
  const Result<std::string_view> parameters = cipher.take(kDerSequence);
  if (!parameters || !cipher.is_at_end()) return bad("the cipher's parameters");
  DerReader gcm(*parameters);
  const Result<std::string_view> nonce = gcm.take(kDerOctets);
  if (!nonce || nonce->size() != kNonceBytes) return bad("a nonce of another size");
  if (!take_just(gcm, kDerInteger, kTagLength) || !gcm.is_at_end()) return bad("a tag of another size");
  const Result<std::string_view> content = reader.take(kDerContext0);
  if (!content || !reader.is_at_end()) return bad("its content");
  return {};
}

}  // namespace

Result<void> check_cms_shape(std::string_view der) {
  const Result<size_t> size = cms_size(der);
  if (!size) return fail(size);
  if (*size != der.size()) return bad("bytes follow it");
  DerReader whole(der);
  DerReader info(whole.take(kDerSequence).value());
  if (!take_just(info, kDerOid, kAuthEnvelopedData)) return bad("it is no AuthEnvelopedData");
  const Result<std::string_view> wrapped = info.take(kDerContext0Constructed);
  if (!wrapped || !info.is_at_end()) return bad("its content is missing");
  DerReader outer(*wrapped);
  const Result<std::string_view> enveloped = outer.take(kDerSequence);
  if (!enveloped || !outer.is_at_end()) return bad("its content is missing");
  DerReader parts(*enveloped);
  if (!take_just(parts, kDerInteger, "\0"sv)) return bad("another version");
  const Result<std::string_view> recipients = parts.take(kDerSet);
  if (!recipients) return bad("it has no recipients");
  if (Result<void> known = check_recipients(*recipients); !known) return known;
  const Result<std::string_view> content = parts.take(kDerSequence);
  if (!content) return bad("it has no content");
  if (Result<void> known = check_content(*content); !known) return known;
  const Result<std::string_view> mac = parts.take(kDerOctets);
  if (!mac || mac->size() != kTagBytes || !parts.is_at_end()) return bad("a tag of another size");
  return {};
}

}  // namespace cairn::recorder
