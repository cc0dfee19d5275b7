#include "agent/session/pam_session.h"

#include <security/pam_appl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace cairn::agent {
namespace {

struct Heard {
  std::string messages;
  std::string errors;
};

// The conversation of pam_conv(3): takes note of what modules say, answers nothing. PAM frees the answers with free().
int converse(int count, const struct pam_message** asked, struct pam_response** answers, void* appdata) {
  auto* heard = static_cast<Heard*>(appdata);
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  for (int i = 0; i < count; ++i) {
    const std::string text = asked[i]->msg == nullptr ? "" : asked[i]->msg;
    if (asked[i]->msg_style == PAM_TEXT_INFO) {
      heard->messages += text + "\n";
    } else if (asked[i]->msg_style == PAM_ERROR_MSG) {
      heard->errors += text + "\n";
    } else {
      return PAM_CONV_ERR;
    }
  }
  *answers = static_cast<struct pam_response*>(std::calloc(static_cast<size_t>(count), sizeof(struct pam_response)));
  return *answers == nullptr ? PAM_BUF_ERR : PAM_SUCCESS;
}

Result<void> check_service_file(const std::string& service_dir) {
  const std::string etc_file = (service_dir.empty() ? "/etc/pam.d" : service_dir) + "/" + kPamService;
  if (::access(etc_file.c_str(), R_OK) == 0) return {};
  const std::string vendor_file = fmt::format("/usr/lib/pam.d/{}", kPamService);
  if (service_dir.empty() && ::access(vendor_file.c_str(), R_OK) == 0) return {};
  // Without it PAM would fall back on the service "other", whose rules nobody wrote for logins.
  return fail(Errc::kUnavailable,
              fmt::format("this node has no PAM service file {}; an administrator installs it from packaging/pam/cairn",
                          etc_file));
}

}  // namespace

struct PamSession::State {
  Heard heard;
  struct pam_conv conversation{.conv = converse, .appdata_ptr = &heard};
  pam_handle_t* handle = nullptr;
  std::string login;
  bool has_credentials = false;
  bool is_open = false;
  int last_code = PAM_SUCCESS;
};

PamSession::PamSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
PamSession::PamSession(PamSession&&) noexcept = default;
PamSession& PamSession::operator=(PamSession&&) noexcept = default;

PamSession::~PamSession() {
  if (!state_ || state_->handle == nullptr) return;
  if (state_->is_open) state_->last_code = pam_close_session(state_->handle, PAM_SILENT);
  if (state_->has_credentials) pam_setcred(state_->handle, PAM_DELETE_CRED | PAM_SILENT);
  pam_end(state_->handle, state_->last_code);
}

Failure PamSession::refuse(int code, std::string_view what) const {
  return fail(Errc::kDenied,
              fmt::format("the account {} may not log in here: {} (PAM service {}, {})",
                          quoted_if_needed(state_->login), pam_strerror(state_->handle, code), kPamService, what));
}

Result<PamSession> PamSession::start(Subject subject) {
  if (Result<void> found = check_service_file(subject.service_dir); !found) return fail(found);
  auto state = std::make_unique<State>();
  state->login = subject.login;
  const char* dir = subject.service_dir.empty() ? nullptr : subject.service_dir.c_str();
  int code = pam_start_confdir(kPamService, subject.login.c_str(), &state->conversation, dir, &state->handle);
  if (code != PAM_SUCCESS)
    return fail(Errc::kUnavailable, fmt::format("PAM did not start the service {} (code {})", kPamService, code));
  PamSession session(std::move(state));
  const std::pair<int, const std::string*> items[] = {
      {PAM_RUSER, &subject.user}, {PAM_RHOST, &subject.client_host}, {PAM_TTY, &subject.tty}};
  for (const auto& [item, value] : items) {
    code = pam_set_item(session.state_->handle, item, value->c_str());
    if (code != PAM_SUCCESS) return session.refuse(code, "set item");
  }
  return session;
}

Result<void> PamSession::admit() {
  const int code = state_->last_code = pam_acct_mgmt(state_->handle, 0);
  if (code == PAM_NEW_AUTHTOK_REQD) {
    return fail(Errc::kDenied, fmt::format("the password of the account {} has expired; an administrator of the host "
                                           "renews it with passwd(1) or chage(1)",
                                           quoted_if_needed(state_->login)));
  }
  if (code != PAM_SUCCESS) return refuse(code, "account");
  return {};
}

Result<void> PamSession::open() {
  // Without pam_authenticate a stack may have no credentials to set. sshd lets that pass after a public key, too.
  state_->has_credentials = pam_setcred(state_->handle, PAM_ESTABLISH_CRED) == PAM_SUCCESS;
  const int code = state_->last_code = pam_open_session(state_->handle, 0);
  if (code != PAM_SUCCESS) return refuse(code, "session");
  state_->is_open = true;
  return {};
}

std::vector<std::string> PamSession::environment() const {
  std::vector<std::string> variables;
  char** list = pam_getenvlist(state_->handle);
  if (list == nullptr) return variables;
  for (char** variable = list; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
    std::free(*variable);
  }
  std::free(static_cast<void*>(list));
  return variables;
}

std::string PamSession::take_messages() { return std::exchange(state_->heard.messages, {}); }
std::string PamSession::take_errors() { return std::exchange(state_->heard.errors, {}); }

}  // namespace cairn::agent
