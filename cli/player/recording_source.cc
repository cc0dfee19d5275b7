#include "cli/player/recording_source.h"

namespace cairn::cli {

Result<std::shared_ptr<const recorder::RecordingKeys>> unlock_either(const recorder::Unlock& unlock,
                                                                     const recorder::Opening& opening,
                                                                     std::string_view later) {
  Result<std::shared_ptr<const recorder::RecordingKeys>> keys = unlock(opening);
  if (keys || later.empty() || keys.error().code != Errc::kDenied) return keys;
  recorder::Opening sealed_later = opening;
  sealed_later.set_sealed_secret(std::string(later));
  return unlock(sealed_later);
}

}  // namespace cairn::cli
