#include "agent/enroll/node_identity.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"

namespace cairn::agent {

Result<std::optional<NodeIdentity>> NodeIdentity::load(const std::filesystem::path& data_dir) {
  Result<tunnel::Identity> stored = tunnel::load_identity(data_dir);
  if (stored) return NodeIdentity(data_dir, std::move(*stored));
  if (stored.error().code == Errc::kNotFound || stored.error().code == std::errc::no_such_file_or_directory)
    return std::nullopt;
  return fail(stored, "this node's identity");
}

Result<NodeIdentity> NodeIdentity::create(const std::filesystem::path& data_dir, tunnel::Identity identity) {
  if (Result<void> stored = tunnel::store_identity(data_dir, identity); !stored)
    return fail(stored, "store this node's identity");
  return NodeIdentity(data_dir, std::move(identity));
}

Result<void> NodeIdentity::replace(tunnel::Identity renewed) {
  if (Result<void> stored = tunnel::store_identity(data_dir_, renewed); !stored)
    return fail(stored, "store the renewed identity");
  current_ = std::make_shared<const tunnel::Identity>(std::move(renewed));
  return {};
}

std::string expired_sentence(const tunnel::Identity& identity) {
  return fmt::format(
      "this node's certificate expired at {}; make a token with \"cairn tokens add --type=node\" and start the agent "
      "with --token and --ca-pin to join again",
      format_utc(identity.not_after_s));
}

}  // namespace cairn::agent
