#include "agent/session/channel.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <utility>

#include <fmt/format.h>

#include "agent/session/forwards.h"
#include "agent/session/login_environment.h"
#include "agent/session/ssh_signal.h"
#include "agent/session/user_program.h"

namespace cairn::agent {
namespace {

using recording::v1::ChannelType;
using recording::v1::Event;

constexpr size_t kMaxEnvironmentBytes = 16 * 1024;
constexpr size_t kMaxTermBytes = 64;
constexpr size_t kMaxCommandBytes = 128 * 1024;  // MAX_ARG_STRLEN of the kernel
constexpr std::string_view kSftp = "sftp";
constexpr std::array kSftpServers = {"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server",
                                     "/usr/lib/ssh/sftp-server"};

// Where this system keeps OpenSSH's sftp-server; nullptr: nowhere.
const char* find_sftp_server() {
  for (const char* path : kSftpServers) {
    if (::access(path, X_OK) == 0) return path;
  }
  return nullptr;
}

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe2");
  return Pipe{.reading = UniqueFd(ends[0]), .writing = UniqueFd(ends[1])};
}

void do_not_block(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// The command that does what was asked for, for the login shell's -c; empty: the shell itself.
Result<std::string> command_for(ChannelType type, const std::string& asked) {
  const bool is_sftp = (type == recording::v1::CHANNEL_TYPE_SUBSYSTEM && asked == kSftp) || asked == "internal-sftp";
  if (!is_sftp) return asked;
  if (const char* server = find_sftp_server(); server != nullptr) return std::string(server);
  return fail(Errc::kUnavailable,
              "this node has no sftp-server; an administrator installs the package openssh-sftp-server");
}

}  // namespace

Channel::Channel(ssh_channel channel, uint32_t number, SessionHost* host, const CertificateTerms* terms,
                 Forwards* forwards, Log log)
    : channel_(channel),
      number_(number),
      host_(host),
      terms_(terms),
      forwards_(forwards),
      log_(std::move(log)),
      streams_(channel, number, host) {
  set_callbacks();
}

Channel::~Channel() {
  // libssh keeps the channel until the client has closed it, too.
  ssh_remove_channel_callbacks(channel_, &callbacks_);
  ssh_channel_free(channel_);
}

// ---- requests

bool Channel::on_pty(std::string_view term, TerminalSize size) {
  if (has_pty_ || is_started_ || term.size() > kMaxTermBytes) return false;
  if (!terms_->may_have_pty) {
    log_.warn("pty.refused", kv("channel", number_), kv("reason", "the certificate lacks permit-pty"));
    return false;
  }
  Result<Pty> pty = Pty::open(size);
  if (!pty) {
    log_.error("pty.refused", kv("channel", number_), kv_error(pty.error()));
    return false;
  }
  pty_ = std::move(*pty);
  has_pty_ = true;
  term_ = term;
  size_ = size;
  return true;
}

void Channel::on_window_change(TerminalSize size) {
  if (!has_pty_) return;
  size_ = size;
  const Result<void> resized = pty_ ? set_terminal_size(pty_->master.get(), size) : streams_.resize(size);
  if (!resized || !is_open_on_record_) return;
  Event event;
  event.set_boot_ns(host_->boot_ns());
  event.mutable_resize()->set_channel(number_);
  event.mutable_resize()->set_columns(size.columns);
  event.mutable_resize()->set_rows(size.rows);
  host_->record(std::move(event));
}

bool Channel::on_environment(std::string_view name, std::string_view value) {
  if (is_started_ || !is_accepted_variable(name)) return false;
  environment_bytes_ += name.size() + value.size();
  if (environment_bytes_ > kMaxEnvironmentBytes) return false;
  environment_[std::string(name)] = value;
  return true;
}

// A request that libssh has no name for. Of those OpenSSH's client sends one on a channel without a terminal:
// eow@openssh.com. Others' clients send others.
void Channel::on_unknown() {
  const char* client = ssh_get_clientbanner(ssh_channel_get_session(channel_));
  if (client == nullptr || std::string_view(client).find("OpenSSH") == std::string_view::npos) return;
  streams_.note_output_unwanted();
}

void Channel::on_agent() {
  if (is_started_) return;
  if (Result<std::string> path = forwards_->forward_agent(); path) environment_["SSH_AUTH_SOCK"] = std::move(*path);
}

bool Channel::on_x11(v1::ForwardX11 display, bool is_single) {
  if (is_started_) return false;
  Result<std::string> place = forwards_->forward_x11(number_, std::move(display), is_single);
  if (!place) return false;
  environment_["DISPLAY"] = std::move(*place);
  return true;
}

void Channel::on_signal(std::string_view name) {
  if (login_ && signal_number(name) != 0) login_->send_signal(name);
}

// Grants what can be begun; what then goes wrong the person reads on the channel.
bool Channel::on_start(ChannelType type, std::string asked) {
  if (is_started_ || asked.size() >= kMaxCommandBytes) return false;
  const bool is_forced = terms_->forced_command.has_value();
  if (type == recording::v1::CHANNEL_TYPE_SUBSYSTEM && asked != kSftp && !is_forced) return false;
  is_started_ = true;
  if (is_forced) {
    if (!asked.empty()) environment_["SSH_ORIGINAL_COMMAND"] = std::move(asked);
    asked = *terms_->forced_command;
    type = recording::v1::CHANNEL_TYPE_COMMAND;
  }
  const Result<void> started = start_program(type, asked);
  if (!started) refuse(started.error().message);
  return true;
}

// ---- the program

Result<LoginDescriptors> Channel::make_descriptors() {
  if (pty_) {
    UniqueFd output(::fcntl(pty_->slave.get(), F_DUPFD_CLOEXEC, 0));
    UniqueFd errors(::fcntl(pty_->slave.get(), F_DUPFD_CLOEXEC, 0));
    if (!output || !errors) return fail_errno("duplicate the terminal");
    LoginDescriptors given{.input = std::move(pty_->slave), .output = std::move(output), .errors = std::move(errors)};
    if (Result<void> attached = streams_.attach_terminal(std::move(pty_->master)); !attached) return fail(attached);
    return given;
  }
  Result<Pipe> input = make_pipe();
  if (!input) return fail(input);
  Result<Pipe> output = make_pipe();
  if (!output) return fail(output);
  Result<Pipe> errors = make_pipe();
  if (!errors) return fail(errors);
  for (const int fd : {input->writing.get(), output->reading.get(), errors->reading.get()}) do_not_block(fd);
  streams_.attach_pipes(std::move(input->writing), std::move(output->reading), std::move(errors->reading));
  return LoginDescriptors{
      .input = std::move(input->reading), .output = std::move(output->writing), .errors = std::move(errors->writing)};
}

v1::LoginStart Channel::describe_start(ChannelType type, const std::string& command) const {
  v1::LoginStart start = host_->login_start();
  if (type == recording::v1::CHANNEL_TYPE_SHELL) {
    start.mutable_shell();
  } else {
    start.set_command(command);
  }
  start.set_has_pty(has_pty_);
  if (pty_) start.set_tty(pty_->name);
  start.mutable_environment()->insert(environment_.begin(), environment_.end());
  if (has_pty_ && !term_.empty()) (*start.mutable_environment())["TERM"] = term_;
  return start;
}

Result<void> Channel::start_program(ChannelType type, const std::string& asked) {
  const Result<std::string> command = command_for(type, asked);
  if (!command) return fail(command);
  v1::LoginStart start = describe_start(type, *command);
  Result<LoginDescriptors> descriptors = make_descriptors();
  pty_.reset();
  if (!descriptors) return fail(descriptors);
  Result<LoginProcess> login = host_->start_login(std::move(*descriptors));
  if (!login) return fail(login);
  login_ = std::move(*login);
  record_opened(type, asked);
  return login_->open_gate(std::move(start));
}

void Channel::record_opened(ChannelType type, const std::string& command) {
  Event event;
  event.set_boot_ns(host_->boot_ns());
  recording::v1::ChannelOpened* opened = event.mutable_channel_opened();
  opened->set_channel(number_);
  opened->set_type(type);
  opened->set_command(command);
  opened->set_has_pty(has_pty_);
  if (has_pty_) {
    opened->set_term(term_);
    opened->set_columns(size_.columns);
    opened->set_rows(size_.rows);
  }
  if (login_) opened->set_pid(static_cast<uint32_t>(login_->pid()));
  host_->record(std::move(event));
  is_open_on_record_ = true;
}

void Channel::refuse(const std::string& reason) {
  log_.error("channel.refused", kv("channel", number_), kv("reason", reason));
  farewell_ = fmt::format("cairn: {}\r\n", reason);
  if (login_) login_->end_at_gate();
  login_.reset();
  exit_ = ChannelExit{.status = kNotStarted, .signal = {}, .has_core = false};
  streams_.note_program_end();
}

void Channel::listen_to_login() {
  if (!login_) return;
  const std::optional<v1::FromLogin> word = login_->receive();
  if (!word) return;
  if (word->has_refused()) log_.warn("login.refused", kv("channel", number_), kv("reason", word->refused().reason()));
  exit_ = channel_exit(*word);
  streams_.note_program_end();
}

// ---- the loop's turn

void Channel::prepare(PollSet& waits) {
  if (!is_closed_) streams_.prepare(waits);
  control_slot_ = login_ ? waits.add(login_->control(), POLLIN) : PollSet::kNone;
  process_slot_ = login_ ? waits.add(login_->pidfd(), POLLIN) : PollSet::kNone;
}

void Channel::serve(const PollSet& waits) {
  if (waits.ready(control_slot_) != 0) listen_to_login();
  if (!is_closed_) streams_.serve(waits);
  if (exit_ && !is_closed_ && streams_.is_drained()) finish();
  if (exit_ && streams_.is_client_gone()) record_closed();
  if (login_ && waits.ready(process_slot_) != 0) {
    listen_to_login();  // its last word may have come after the look above
    if (exit_ && login_->reap()) login_.reset();
  }
}

// The program has ended and the client has all of its output.
void Channel::finish() {
  record_closed();
  is_closed_ = true;
  if (streams_.is_client_gone()) return;
  say(farewell_);
  if (exit_ && exit_->signal.empty()) {
    ssh_channel_request_send_exit_status(channel_, static_cast<int>(exit_->status));
  } else if (exit_) {
    ssh_channel_request_send_exit_signal(channel_, exit_->signal.c_str(), exit_->has_core ? 1 : 0, "", "");
  }
  ssh_channel_send_eof(channel_);
  ssh_channel_close(channel_);
}

void Channel::record_closed() {
  if (!exit_ || !std::exchange(is_open_on_record_, false)) return;
  host_->record(channel_closed_event(number_, *exit_, host_->boot_ns()));
}

void Channel::say(const std::string& sentence) { streams_.say(sentence); }

bool Channel::is_over() const { return !login_ && (is_closed_ || streams_.is_client_gone()); }

std::optional<OpenLogin> Channel::hang_up() {
  streams_.close();
  listen_to_login();
  if (exit_) record_closed();
  if (!login_) return std::nullopt;
  OpenLogin open{.channel = number_, .process = std::move(*login_), .is_closed_on_record = exit_.has_value()};
  login_.reset();
  return open;
}

}  // namespace cairn::agent
