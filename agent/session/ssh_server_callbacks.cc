// What a client asks before and beside its channels: to be let in, to open channels, to forward.
#include <memory>
#include <utility>

#include "agent/session/ssh_certificate.h"
#include "agent/session/ssh_server.h"
#include "base/bytes.h"
#include "base/ssh_wire.h"

namespace cairn::agent {
namespace {

struct FreeText {
  void operator()(char* text) const noexcept { ssh_string_free_char(text); }
};
struct FreeString {
  void operator()(ssh_string_struct* text) const noexcept { ssh_string_free(text); }
};

// The whole public key or certificate as the client sent it.
Result<std::string> key_blob(ssh_key key) {
  char* encoded = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK)
    return fail(Errc::kUnsupported, "libssh cannot read the offered key");
  const std::unique_ptr<char, FreeText> base64(encoded);
  return from_base64(base64.get());
}

}  // namespace

int SshServer::on_key(const char* login, ssh_key key, ssh_publickey_state_e state) {
  ++attempts_;
  if (is_admitted_) return SSH_AUTH_DENIED;
  const Result<std::string> blob = key_blob(key);
  if (!blob) return refuse_key(login, "", blob.error());
  const Result<SshPublicKey> typed = ssh_public_key_from_blob(*blob);
  const std::string type = typed ? typed->type : "";
  if (state == SSH_PUBLICKEY_STATE_NONE) {
    const Result<void> examined = host_->examine(login, *blob);
    return examined ? SSH_AUTH_SUCCESS : refuse_key(login, type, examined.error());
  }
  if (state != SSH_PUBLICKEY_STATE_VALID) {
    const Failure wrong = fail(Errc::kUnauthenticated, "the client's signature with its key is wrong");
    return refuse_key(login, type, wrong.value());
  }
  Result<CertificateTerms> terms = host_->admit(login, *blob);
  if (!terms) return refuse_key(login, type, terms.error());
  terms_ = std::move(*terms);
  is_admitted_ = true;
  return SSH_AUTH_SUCCESS;
}

// A person who offers five keys of which one is a certificate wants to hear about the certificate.
int SshServer::refuse_key(const char* login, std::string_view type, const Error& error) {
  log_.warn("key.refused", kv("login", login), kv("type", type), kv("reason", error.message));
  const bool is_certificate = is_certificate_type(type);
  if (is_certificate || last_refusal_.empty()) last_refusal_ = error.message;
  const bool is_worth_a_word = is_certificate || !is_certificate_refused_;
  is_certificate_refused_ = is_certificate_refused_ || is_certificate;
  if (!is_worth_a_word || !banners_.insert(error.message).second) return SSH_AUTH_DENIED;
  const std::string sentence = "cairn: " + error.message + "\n";
  const std::unique_ptr<ssh_string_struct, FreeString> banner(ssh_string_from_char(sentence.c_str()));
  if (banner) ssh_send_issue_banner(session_, banner.get());
  return SSH_AUTH_DENIED;
}

ssh_channel SshServer::on_channel_open() {
  if (!is_admitted_ || channels_.size() >= kMaxChannels) {
    log_.warn("channel.refused", kv("open", channels_.size()), kv("limit", kMaxChannels));
    return nullptr;
  }
  ssh_channel channel = ssh_channel_new(session_);
  if (channel == nullptr) return nullptr;
  channels_.push_back(std::make_unique<Channel>(channel, next_channel_++, host_, &terms_, log_));
  return channel;
}

void SshServer::on_message(ssh_message message) {
  const int type = ssh_message_type(message);
  if (type == SSH_REQUEST_CHANNEL_OPEN) log_.info("forwarding.refused", kv("kind", "channel"));
  if (type != SSH_REQUEST_CHANNEL || ssh_message_subtype(message) != SSH_CHANNEL_REQUEST_UNKNOWN) return;
  // libssh 0.10 drops the names of requests that it does not know. Of those OpenSSH's client sends one on a channel
  // without a terminal: eow@openssh.com. Others' clients send others.
  const char* client = ssh_get_clientbanner(session_);
  if (client == nullptr || std::string_view(client).find("OpenSSH") == std::string_view::npos) return;
  for (const auto& channel : channels_) {
    if (channel->is_of(ssh_message_channel_request_channel(message))) channel->note_output_unwanted();
  }
}

void SshServer::refuse_forwarding(ssh_message message) {
  if (ssh_message_subtype(message) == SSH_GLOBAL_REQUEST_KEEPALIVE) {
    ssh_message_global_request_reply_success(message, 0);
    return;
  }
  log_.info("forwarding.refused", kv("kind", "remote port"));
  ssh_message_reply_default(message);
}

}  // namespace cairn::agent
