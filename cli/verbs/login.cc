#include <cstdlib>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include "base/file.h"
#include "base/options.h"
#include "cli/home/ssh_key.h"
#include "cli/print/exit_code.h"
#include "cli/print/json.h"
#include "cli/print/plain_text.h"
#include "cli/remote/run_blocking.h"
#include "cli/terminal/password.h"
#include "cli/verbs/verbs.h"
#include "tunnel/connect.h"
#include "tunnel/identity.h"

namespace cairn::cli {
namespace {

using tunnel::Identity;

constexpr uint16_t kDefaultProxyPort = 3080;
constexpr std::chrono::seconds kLoginLimit{30};  // auth checks a bcrypt hash of cost 12 and may throttle

struct Options {
  std::string proxy;
  std::string user;
  std::string ca_pin;
  bool is_insecure = false;
  bool is_password_on_stdin = false;
  std::string ttl;
};

// The options, completed from what the last login here has left.
Result<Profile> wanted_profile(const Options& options, const Home& home) {
  if (options.is_insecure && !options.ca_pin.empty())
    return fail(Errc::kInvalid, "--ca-pin and --insecure-no-ca-pin contradict each other");
  Result<Profile> stored = home.load_profile();
  if (!stored) return fail(stored);
  Profile& profile = *stored;
  if (!options.proxy.empty()) profile.proxy = options.proxy;
  if (!options.user.empty()) profile.user = options.user;
  if (!options.ca_pin.empty()) profile.ca_pin = options.ca_pin;
  if (profile.proxy.empty())
    return fail(Errc::kInvalid, "which proxy? Name it: cairn login --proxy HOST:PORT --user NAME");
  if (profile.user.empty()) return fail(Errc::kInvalid, "who are you? Name yourself: cairn login --user NAME");
  if (profile.ca_pin.empty() && !options.is_insecure)
    return fail(Errc::kInvalid,
                "the first login needs --ca-pin sha256:…, so that nobody can pose as your cluster; \"cairn status\" as "
                "root on the auth host shows it, and so does \"cairn tokens add\"");
  return std::move(profile);
}

struct NewKeys {
  tunnel::KeyPair tls;
  SshKey ssh;
};

Result<NewKeys> generate_keys() {
  Result<tunnel::KeyPair> tls = tunnel::generate_tls_key();
  if (!tls) return fail(tls);
  Result<SshKey> ssh = generate_ssh_key();
  if (!ssh) return fail(ssh);
  return NewKeys{.tls = std::move(*tls), .ssh = std::move(*ssh)};
}

Result<enroll::v1::LoginResponse> ask_for_certificates(const Profile& profile, const std::string& ca_pin,
                                                       enroll::v1::LoginRequest login) {
  const Result<tunnel::Address> proxy = tunnel::parse_address(profile.proxy, kDefaultProxyPort);
  if (!proxy) return fail(proxy, "--proxy");
  enroll::v1::EnrollRequest request;
  *request.mutable_login() = std::move(login);
  asio::io_context loop(1);
  Result<enroll::v1::EnrollResponse> response =
      run_blocking(loop, tunnel::enroll(*proxy, ca_pin, std::move(request), after(kLoginLimit)));
  if (!response) return fail(response);
  if (!response->has_login()) return fail(Errc::kInternal, "auth answered the login with something else");
  return std::move(*response->mutable_login());
}

Result<void> store(const Home& home, const Profile& profile, const Identity& identity, const NewKeys& keys,
                   const std::string& ssh_certificate) {
  if (const auto done = write_file_atomically(home.ssh_key(), keys.ssh.private_pem, 0600); !done) return done;
  if (const auto done = write_file_atomically(home.ssh_certificate(), ssh_certificate + "\n", 0600); !done) return done;
  if (const auto done = tunnel::store_identity(home.root(), identity); !done) return done;
  return home.store_profile(profile);
}

Result<void> print_login(const Context& context, const Profile& profile, const enroll::v1::LoginResponse& login) {
  if (context.is_json()) {
    nlohmann::ordered_json object{{"user", profile.user},
                                  {"cluster", profile.cluster},
                                  {"proxy", profile.proxy},
                                  {"ca_pin", profile.ca_pin},
                                  {"expires_wall_s", login.expires_wall_s()}};
    object["logins"] = std::vector<std::string>(login.logins().begin(), login.logins().end());
    return print_json(object);
  }
  const std::string logins = login.logins().empty() ? "(none: no role of yours gives one)"
                                                    : fmt::format("{}", fmt::join(login.logins(), ", "));
  return print_text(fmt::format("Logged in to {} as {}\nLogins:  {}\nValid:   until {} ({})\n",
                                printable(profile.cluster), printable(profile.user), printable(logins),
                                format_utc(login.expires_wall_s()),
                                format_relative(login.expires_wall_s(), context.clock.wall_s())));
}

Result<enroll::v1::LoginRequest> login_request(const Options& options, const Profile& profile, const NewKeys& keys) {
  enroll::v1::LoginRequest request;
  if (!options.ttl.empty()) {
    const Result<std::chrono::seconds> ttl = parse_duration(options.ttl);
    if (!ttl) return fail(ttl, "--ttl");
    request.set_ttl_s(static_cast<uint32_t>(ttl->count()));
  }
  Result<std::string> password =
      read_password(options.is_password_on_stdin, fmt::format("Password of {}: ", printable(profile.user)));
  if (!password) return fail(password);
  request.set_user(profile.user);
  request.set_password(std::move(*password));
  request.set_tls_public_key(keys.tls.public_der);
  request.set_ssh_public_key(keys.ssh.public_line);
  return request;
}

Result<int> login(const Context& context, const Options& options) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  Result<Profile> profile = wanted_profile(options, *home);
  if (!profile) return fail(profile);
  if (const Result<void> made = home->create(); !made) return fail(made);
  if (options.is_insecure)
    print_warning(
        "WARNING: --insecure-no-ca-pin: nothing proves that this is your cluster; your password goes to "
        "whoever answers");
  const Result<NewKeys> keys = generate_keys();
  if (!keys) return fail(keys);
  Result<enroll::v1::LoginRequest> request = login_request(options, *profile, *keys);
  if (!request) return fail(request);
  const std::string ca_pin = options.is_insecure ? std::string() : profile->ca_pin;
  const auto login = ask_for_certificates(*profile, ca_pin, std::move(*request));
  if (!login) return fail(login);

  const Result<Identity> identity =
      tunnel::make_identity(keys->tls.private_pem, login->certificate(), login->authorities());
  if (!identity) return fail(identity, "what auth issued");
  const Result<tunnel::X509Certificate> host_ca = tunnel::parse_certificate(login->authorities().host_ca());
  if (!host_ca) return fail(host_ca, "the host CA that auth sent");
  profile->ca_pin = tunnel::ca_pin_of(host_ca->get());
  profile->cluster = login->cluster();
  if (const auto stored = store(*home, *profile, *identity, *keys, login->ssh_certificate()); !stored)
    return fail(stored);
  if (const Result<void> printed = print_login(context, *profile, *login); !printed) return fail(printed);
  return kExitOk;
}

Result<int> logout(const Context& context) {
  const Result<Home> home = context.home();
  if (!home) return fail(home);
  const Result<bool> had_any = home->forget_keys();
  if (!had_any) return fail(had_any);
  const Result<void> printed =
      print_text(*had_any ? "Logged out; keys and certificates are removed\n" : "Nobody was logged in\n");
  if (!printed) return fail(printed);
  return kExitOk;
}

}  // namespace

void add_login_verbs(CLI::App& app, Command& command) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = add_verb(app, "login", "Prove who you are; get certificates for a working day",
                            "cairn login --proxy cairn.example.org:3080 --user alice --ca-pin sha256:9f86d0…\n"
                            "cairn login                      # later: proxy, user and pin are remembered\n"
                            "cairn login --password-stdin <password-file");
  verb->add_option("--proxy", options->proxy, "HOST:PORT of the cluster's proxy");
  verb->add_option("--user", options->user, "your name");
  verb->add_option("--ca-pin", options->ca_pin, "sha256:… of the cluster's CA, from \"cairn status\" on the auth host");
  verb->add_flag("--insecure-no-ca-pin", options->is_insecure, "believe whatever cluster answers");
  verb->add_flag("--password-stdin", options->is_password_on_stdin,
                 "read the password from standard input (or set CAIRN_PASSWORD_FILE)");
  verb->add_option("--ttl", options->ttl, "wanted validity, for example 1h [the cluster's, 12h]");
  add_format(verb, command);
  verb->callback(
      [&command, options] { command.run = [&command, options] { return login(command.context, *options); }; });

  CLI::App* out = add_verb(app, "logout", "Remove keys and certificates from this host", "cairn logout");
  out->callback([&command] { command.run = [&command] { return logout(command.context); }; });
}

}  // namespace cairn::cli
