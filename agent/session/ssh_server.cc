#include "agent/session/ssh_server.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "agent/session/ssh_flow.h"
#include "tunnel/tls_stream.h"

namespace cairn::agent {
namespace {

// What clients may sign with: no SHA-1.
constexpr const char* kSignatureTypes =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";

// The first word makes OpenSSH's client tell when its standard output is closed ("ssh node journalctl | head"); it does
// not tell strangers, and then waits for ever, having thrown away what its window was waiting for.
constexpr const char* kVersion = "OpenSSH_compatible_Cairn_" CAIRN_VERSION;

constexpr int kReadsPerTurn = 16;  // of what the client sends, before the channels have their turn

int to_ms(std::chrono::steady_clock::duration span) {
  return static_cast<int>(std::max<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(span).count(), 0));
}

}  // namespace

SshServer::SshServer(SshServerOptions options, SessionHost* host, Log log)
    : options_(std::move(options)), host_(host), log_(std::move(log)) {}

SshServer::~SshServer() {
  channels_.clear();
  forwards_.reset();
  if (event_ != nullptr) ssh_event_free(event_);
  if (session_ != nullptr) {
    ssh_disconnect(session_);
    ssh_free(session_);
  }
  if (bind_ != nullptr) ssh_bind_free(bind_);
}

Result<void> SshServer::open(UniqueFd connection) {
  bind_ = ssh_bind_new();
  session_ = ssh_new();
  event_ = ssh_event_new();
  if (bind_ == nullptr || session_ == nullptr || event_ == nullptr)
    return fail(Errc::kInternal, "libssh did not start");
  ssh_set_counters(session_, &traffic_, nullptr);
  const bool is_configured_elsewhere = false;  // /etc/ssh/libssh_server_config is no business of ours
  const std::string key = options_.host_key.string();
  if (ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_PROCESS_CONFIG, &is_configured_elsewhere) != SSH_OK ||
      ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_BANNER, kVersion) != SSH_OK ||
      ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_HOSTKEY, key.c_str()) != SSH_OK ||
      ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, kSignatureTypes) != SSH_OK) {
    return fail(Errc::kInternal, fmt::format("SSH server options: {}", ssh_get_error(bind_)));
  }
  // Owned by the session from here on, also when it is refused.
  if (ssh_bind_accept_fd(bind_, session_, connection.release()) != SSH_OK)
    return fail(Errc::kUnavailable, fmt::format("SSH server with the key {}: {}", key, ssh_get_error(bind_)));
  forwards_ = std::make_unique<Forwards>(session_, host_, &terms_, log_);
  ssh_set_auth_methods(session_, SSH_AUTH_METHOD_PUBLICKEY);
  ssh_set_blocking(session_, 0);
  return {};
}

// ---- the connection's life

Result<void> SshServer::run(UniqueFd connection, tunnel::Pump* carrier) {
  carrier_ = carrier;
  started_ = last_heard_ = last_asked_ = std::chrono::steady_clock::now();
  if (Result<void> opened = open(std::move(connection)); !opened) return opened;
  if (Result<void> agreed = exchange_keys(); !agreed) return agreed;
  ssh_event_add_session(event_, session_);
  serve_client();
  hang_up();
  if (is_admitted_) return {};
  if (!last_refusal_.empty()) return fail(Errc::kDenied, last_refusal_);
  return fail(Errc::kUnauthenticated,
              is_grace_over() ? "the client did not authenticate in time" : "the client left without authenticating");
}

void SshServer::serve_client() {
  while (ssh_is_connected(session_) != 0) {
    if (const std::optional<std::string> reason = host_->end_reason(); reason) return say_goodbye(*reason);
    if (is_admitted_) tell_of_hold();
    if (!is_admitted_ && (is_grace_over() || attempts_ > kMaxAuthAttempts)) return;
    turn();
    if (is_admitted_ && is_silent_for_too_long()) return;
  }
}

void SshServer::hang_up() {
  for (const auto& channel : channels_) {
    if (std::optional<OpenLogin> login = channel->hang_up(); login) logins_.push_back(std::move(*login));
  }
  if (std::optional<OpenLogin> login = forwards_->hang_up(); login) logins_.push_back(std::move(*login));
  // Ahead of the disconnection, which frees what they refer to.
  channels_.clear();
  ssh_disconnect(session_);
}

bool SshServer::is_grace_over() const { return std::chrono::steady_clock::now() - started_ >= options_.login_grace; }

Result<void> SshServer::exchange_keys() {
  for (;;) {
    const int outcome = ssh_handle_key_exchange(session_);
    if (outcome == SSH_OK) return {};
    if (outcome != SSH_AGAIN) return fail(Errc::kClosed, fmt::format("SSH key exchange: {}", ssh_get_error(session_)));
    if (is_grace_over()) return fail(Errc::kTimeout, "SSH key exchange: the client did not finish it in time");
    if (host_->end_reason()) return fail(Errc::kClosed, "the node ends");
    carry({});
    prepare();
    waits_.wait(wait_ms());
    carry(carrier_ready());
  }
}

// Between the client and libssh's socket.
void SshServer::carry(tunnel::Pump::Ready ready) {
  if (carrier_ != nullptr) carrier_->serve(ready);
}

tunnel::Pump::Ready SshServer::carrier_ready() const {
  const auto is_ready = [this](size_t i) { return waits_.ready(carrier_slots_[i]) != 0; };
  return {.connection = is_ready(0), .in = is_ready(1), .out = is_ready(2)};
}

// Whether libssh has left something in its socket. Counted where that can be: poll(2) would be asked for each key.
bool SshServer::has_unread() const {
  if (carrier_ == nullptr) return tunnel::is_readable(ssh_get_fd(session_));
  return carrier_->given_bytes() > traffic_.in_bytes;
}

// What every turn waits for.
void SshServer::prepare() {
  waits_.clear();
  session_slot_ =
      waits_.add(ssh_get_fd(session_), static_cast<short>(POLLIN | (is_write_pending(session_) ? POLLOUT : 0)));
  wake_slot_ = waits_.add(host_->wake_fd(), POLLIN);
  if (carrier_ == nullptr) return;
  std::ranges::transform(carrier_->waits(), carrier_slots_.begin(),
                         [this](const pollfd& wait) { return waits_.add(wait.fd, wait.events); });
  if (carrier_->has_more()) waits_.wait_at_most(std::chrono::milliseconds(0));
}

int SshServer::wait_ms() const {
  const Instant now = std::chrono::steady_clock::now();
  if (!is_admitted_) return to_ms(started_ + options_.login_grace - now);
  return to_ms(std::max(last_heard_, last_asked_) + options_.keepalive_interval - now);
}

void SshServer::turn() {
  prepare();
  for (const auto& channel : channels_) channel->prepare(waits_);
  if (is_admitted_) forwards_->prepare(waits_);
  const uint64_t heard = traffic_.in_bytes;
  uint64_t said = traffic_.out_bytes;
  waits_.wait(wait_ms());
  carry(carrier_ready());
  if (waits_.ready(wake_slot_) != 0) {
    uint64_t count = 0;
    (void)!::read(host_->wake_fd(), &count, sizeof count);
  }
  if (has_unread() || waits_.ready(session_slot_) != 0) take_messages();
  const uint64_t taken = traffic_.in_bytes;
  serve_channels();
  carry({.connection = false, .in = traffic_.out_bytes != said, .out = false});  // the program's word goes first
  said = traffic_.out_bytes;
  // Whatever is done with a channel may read more, and nothing else would tell of it.
  if (traffic_.in_bytes != taken || has_unread() || is_write_pending(session_)) take_messages();
  if (traffic_.in_bytes != heard) last_heard_ = std::chrono::steady_clock::now();
  carry({.connection = false, .in = traffic_.out_bytes != said, .out = traffic_.in_bytes != heard});
}

// Reads what has come, once at least: libssh takes 4 KiB at a time. Its failure shows in ssh_is_connected().
void SshServer::take_messages() {
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    while (SshMessage message = SshMessage(ssh_message_get(session_))) handle(std::move(message));
    if (ssh_is_connected(session_) == 0 || !has_unread()) return;
  }
}

void SshServer::serve_channels() {
  // By index: serving one may, inside libssh, open another.
  for (size_t i = 0; i < channels_.size(); ++i) channels_[i]->serve(waits_);
  for (const auto& channel : channels_) {
    if (channel->is_over()) forwards_->note_channel_end(channel->number());
  }
  std::erase_if(channels_, [](const auto& channel) { return channel->is_over(); });
  if (is_admitted_) forwards_->serve(waits_);
}

void SshServer::say_goodbye(const std::string& reason) {
  log_.info("connection.ending", kv("reason", reason));
  say(reason);
}

// Who looks at a terminal that does not answer is told why, once, and when it is over.
void SshServer::tell_of_hold() {
  const std::optional<std::string> reason = host_->hold_reason();
  if (reason.has_value() == is_hold_told_) return;
  is_hold_told_ = reason.has_value();
  say(reason.value_or("there is room again, and the session goes on"));
}

void SshServer::say(const std::string& sentence) {
  for (size_t i = 0; i < channels_.size(); ++i) channels_[i]->say(fmt::format("\r\ncairn: {}\r\n", sentence));
}

bool SshServer::is_silent_for_too_long() {
  const Instant now = std::chrono::steady_clock::now();
  if (now - last_heard_ >= options_.keepalive_interval * options_.keepalive_limit) {
    log_.info("connection.silent", kv("silent_s", std::chrono::floor<std::chrono::seconds>(now - last_heard_).count()));
    return true;
  }
  if (now - std::max(last_heard_, last_asked_) >= options_.keepalive_interval) {
    last_asked_ = now;
    ssh_send_keepalive(session_);
  }
  return false;
}

}  // namespace cairn::agent
