#include "cli/home/home.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/options.h"
#include "tunnel/identity.h"

namespace cairn::cli {
namespace {

constexpr size_t kMaxProfileBytes = 64 << 10;

// A JSON string is a double-quoted YAML scalar (YAML 1.2 §1.3).
std::string yaml_quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

void declare(Options& options, Profile& profile) {
  options.add("proxy", &profile.proxy, "address of the proxy");
  options.add("cluster", &profile.cluster, "name of the cluster");
  options.add("user", &profile.user, "who logs in");
  options.add("ca_pin", &profile.ca_pin, "pin of the cluster's host CA");
}

}  // namespace

Result<Home> Home::find(const std::filesystem::path& named) {
  const char* from_environment = std::getenv("CAIRN_HOME");
  std::filesystem::path root = named;
  if (root.empty() && from_environment != nullptr) root = from_environment;
  if (root.empty()) {
    const char* user_home = std::getenv("HOME");
    if (user_home == nullptr || *user_home == '\0')
      return fail(Errc::kNotFound, "neither HOME nor CAIRN_HOME is set; name a folder for the profile with --home");
    root = std::filesystem::path(user_home) / ".cairn";
  }
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(root, error);
  if (error) return fail(error, fmt::format("{}: {}", root.string(), error.message()));
  return Home(absolute.lexically_normal());
}

bool Home::has_identity() const {
  std::error_code ignored;
  return std::filesystem::exists(root_ / "identity.pem", ignored);
}

Result<void> Home::create() const {
  if (const Result<void> made = make_private_directory(root_); !made) return fail(made);
  if (::chmod(root_.c_str(), 0700) != 0) return fail_errno(fmt::format("chmod 0700 {}", root_.string()));
  return {};
}

Result<Profile> Home::load_profile() const {
  const Result<std::string> text = read_file(profile_file(), kMaxProfileBytes);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return Profile();
  if (!text) return fail(text, "profile");
  Profile profile;
  Options options;
  declare(options, profile);
  if (const Result<void> parsed = options.parse_yaml(*text, profile_file().string()); !parsed)
    return fail(Errc::kInvalid, parsed.error().message + "; repair or remove that file");
  return profile;
}

Result<void> Home::store_profile(const Profile& profile) const {
  const std::string text =
      fmt::format("proxy: {}\ncluster: {}\nuser: {}\nca_pin: {}\n", yaml_quoted(profile.proxy),
                  yaml_quoted(profile.cluster), yaml_quoted(profile.user), yaml_quoted(profile.ca_pin));
  return write_file_atomically(profile_file(), text, 0600);
}

Result<bool> Home::forget_keys() const {
  const bool had_any = has_identity();
  for (const auto& file : {ssh_key(), ssh_certificate(), ssh_config()}) {
    std::error_code error;
    std::filesystem::remove(file, error);
    if (error) return fail(error, fmt::format("remove {}: {}", file.string(), error.message()));
  }
  if (const Result<void> forgotten = tunnel::forget_identity(root_); !forgotten) return fail(forgotten);
  return had_any;
}

}  // namespace cairn::cli
