#include "auth/store/records.h"

#include <fmt/format.h>

#include "base/clock.h"

namespace cairn::auth {

std::string deletion_text(const v1::Session& session) {
  const v1::Deletion& deletion = session.deletion();
  return fmt::format(
      "was deleted {} by {} ({})", format_utc(deletion.wall_s()),
      deletion.rule().empty() ? deletion.by() : fmt::format("the retention rule \"{}\"", deletion.rule()),
      deletion.reason());
}

}  // namespace cairn::auth
