#pragma once

#include <functional>
#include <optional>

#include "cli/player/recording_source.h"
#include "cli/remote/auth_session.h"

namespace cairn::cli {

// A recording as auth has it. A conversation that auth has ended meanwhile (a long pause, a restart) is taken up anew.
class AuthSource final : public RecordingSource {
 public:
  using Open = std::function<Result<AuthSession>()>;

  // `session`: a UUID or a unique beginning of at least 4 characters.
  //   fails  kNotFound: auth knows no such session; and as Open does.
  static Result<std::unique_ptr<AuthSource>> open(Open open_auth, std::string session);

  Result<Piece> read(uint64_t offset, std::chrono::milliseconds wait) override;
  std::string name() const override { return "session " + session_; }

 private:
  AuthSource(Open open_auth, std::string session) : open_auth_(std::move(open_auth)), session_(std::move(session)) {}
  Result<auth::v1::ReadRecordingResponse> ask(uint64_t offset, uint32_t limit, std::chrono::milliseconds wait);

  Open open_auth_;
  std::string session_;
  std::optional<AuthSession> auth_;  // opened when it is needed
};

}  // namespace cairn::cli
