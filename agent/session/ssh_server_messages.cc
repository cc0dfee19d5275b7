// What a client asks before and beside its channels: to be let in, to open channels, to forward.
#include <algorithm>
#include <memory>
#include <utility>

#include "agent/session/ssh_certificate.h"
#include "agent/session/ssh_server.h"
#include "base/bytes.h"
#include "base/free_with.h"
#include "base/ssh_wire.h"

// libssh calls these accessors deprecated in favour of callbacks, which must answer before they return; the answer to a
// forwarding waits for a connect(2) (docs/decisions/ssh-messages.md).
#pragma clang diagnostic ignored "-Wdeprecated-declarations"

namespace cairn::agent {
namespace {

using Text = std::unique_ptr<char, FreeWith<ssh_string_free_char>>;
using String = std::unique_ptr<ssh_string_struct, FreeWith<ssh_string_free>>;

// The whole public key or certificate as the client sent it.
Result<std::string> key_blob(ssh_key key) {
  char* encoded = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK)
    return fail(Errc::kUnsupported, "libssh cannot read the offered key");
  const Text base64(encoded);
  return from_base64(base64.get());
}

}  // namespace

void SshServer::handle(SshMessage message) {
  switch (ssh_message_type(message.get())) {
    case SSH_REQUEST_AUTH: return on_auth(message.get());
    case SSH_REQUEST_CHANNEL_OPEN: return on_channel_open(std::move(message));
    case SSH_REQUEST_CHANNEL: return on_channel_request(message.get());
    case SSH_REQUEST_GLOBAL: return on_global_request(message.get());
    default: ssh_message_reply_default(message.get());
  }
}

// ---- to be let in

void SshServer::on_auth(ssh_message message) {
  if (ssh_message_subtype(message) == SSH_AUTH_METHOD_PUBLICKEY && !is_admitted_) {
    const auto state = ssh_message_auth_publickey_state(message);
    const char* login = ssh_message_auth_user(message);
    if (login != nullptr && may_enter(login, ssh_message_auth_pubkey(message), state)) {
      if (state == SSH_PUBLICKEY_STATE_NONE) ssh_message_auth_reply_pk_ok_simple(message);
      if (state != SSH_PUBLICKEY_STATE_NONE) ssh_message_auth_reply_success(message, 0);
      return;
    }
  }
  ssh_message_reply_default(message);
}

// With its signature (SSH_PUBLICKEY_STATE_VALID) the key lets its owner in; without, it might.
bool SshServer::may_enter(const std::string& login, ssh_key key, ssh_publickey_state_e state) {
  ++attempts_;
  const Result<std::string> blob = key_blob(key);
  if (!blob) return refuse_key(login, "", blob.error()), false;
  const Result<SshPublicKey> typed = ssh_public_key_from_blob(*blob);
  const std::string type = typed ? typed->type : "";
  if (state == SSH_PUBLICKEY_STATE_NONE) {
    const Result<void> examined = host_->examine(login, *blob);
    if (!examined) refuse_key(login, type, examined.error());
    return examined.has_value();
  }
  if (state != SSH_PUBLICKEY_STATE_VALID) {
    const Failure wrong = fail(Errc::kUnauthenticated, "the client's signature with its key is wrong");
    return refuse_key(login, type, wrong.value()), false;
  }
  Result<CertificateTerms> terms = host_->admit(login, *blob);
  if (!terms) return refuse_key(login, type, terms.error()), false;
  terms_ = std::move(*terms);
  is_admitted_ = true;
  return true;
}

// A person who offers five keys of which one is a certificate wants to hear about the certificate.
void SshServer::refuse_key(const std::string& login, std::string_view type, const Error& error) {
  log_.warn("key.refused", kv("login", login), kv("type", type), kv("reason", error.message));
  const bool is_certificate = is_certificate_type(type);
  if (is_certificate || last_refusal_.empty()) last_refusal_ = error.message;
  const bool is_worth_a_word = is_certificate || !is_certificate_refused_;
  is_certificate_refused_ = is_certificate_refused_ || is_certificate;
  if (!is_worth_a_word || !banners_.insert(error.message).second) return;
  const std::string sentence = "cairn: " + error.message + "\n";
  const String banner(ssh_string_from_char(sentence.c_str()));
  if (banner) ssh_send_issue_banner(session_, banner.get());
}

// ---- channels

void SshServer::on_channel_open(SshMessage message) {
  const int type = ssh_message_subtype(message.get());
  if (is_admitted_ && type == SSH_CHANNEL_DIRECT_TCPIP) return forwards_->connect(std::move(message));
  if (!is_admitted_ || type != SSH_CHANNEL_SESSION || channels_.size() >= kMaxChannels) {
    log_.warn("channel.refused", kv("type", type), kv("open", channels_.size()), kv("limit", kMaxChannels));
    ssh_message_reply_default(message.get());
    return;
  }
  ssh_channel channel = ssh_message_channel_request_open_reply_accept(message.get());
  if (channel == nullptr) return;
  channels_.push_back(std::make_unique<Channel>(channel, next_channel_++, host_, &terms_, forwards_.get(), log_));
}

void SshServer::on_channel_request(ssh_message message) {
  ssh_channel const of = ssh_message_channel_request_channel(message);
  const auto found = std::ranges::find_if(channels_, [of](const auto& channel) { return channel->is_of(of); });
  if (found != channels_.end() && (*found)->handle(message)) {
    ssh_message_channel_request_reply_success(message);
  } else {
    ssh_message_reply_default(message);
  }
}

// ---- ports of this node

void SshServer::on_global_request(ssh_message message) {
  const int type = ssh_message_subtype(message);
  const char* address = ssh_message_global_request_address(message);
  const auto port = static_cast<uint32_t>(ssh_message_global_request_port(message));
  if (is_admitted_ && address != nullptr && type == SSH_GLOBAL_REQUEST_TCPIP_FORWARD) {
    const Result<uint16_t> bound = forwards_->listen(address, port);
    if (bound) {
      ssh_message_global_request_reply_success(message, *bound);
      return;
    }
  } else if (is_admitted_ && address != nullptr && type == SSH_GLOBAL_REQUEST_CANCEL_TCPIP_FORWARD) {
    if (forwards_->cancel(address, port)) {
      ssh_message_global_request_reply_success(message, 0);
      return;
    }
  }
  ssh_message_reply_default(message);
}

}  // namespace cairn::agent
