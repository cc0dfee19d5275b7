#pragma once

#include <functional>
#include <optional>

#include "cli/player/recording_source.h"
#include "cli/remote/auth_session.h"
#include "recorder/recording_decoder.h"

namespace cairn::cli {

// A recording as auth has it. A conversation that auth has ended meanwhile (a long pause, a restart) is taken up anew.
class AuthSource final : public RecordingSource {
 public:
  using Open = std::function<Result<AuthSession>()>;

  //   session  a UUID or a unique beginning of at least 4 characters
  //   unlock   asked for the keys when auth has none
  //   fails    kNotFound: auth knows no such session; and as Open does.
  static Result<std::unique_ptr<AuthSource>> open(Open open_auth, std::string session, Reading reading,
                                                  recorder::Unlock unlock);

  Result<Piece> read(const ReadPlace& from, size_t limit_bytes, std::chrono::milliseconds wait) override;
  Result<std::shared_ptr<const recorder::RecordingKeys>> unlock(const recorder::Opening& opening) override;
  Result<std::optional<recorder::Moment>> find(uint64_t at_ns, recorder::Step step) override;
  std::string later_keys() const override { return later_keys_; }
  std::string identity() const override { return session_; }
  std::string name() const override { return "session " + session_; }

 private:
  AuthSource(Open open_auth, std::string session, Reading reading, recorder::Unlock unlock)
      : open_auth_(std::move(open_auth)),
        session_(std::move(session)),
        reading_(std::move(reading)),
        unlock_(std::move(unlock)) {}
  auth::v1::Request read_request() const;
  Result<auth::v1::Response> ask(const auth::v1::Request& request, auth::v1::Response::KindCase expected,
                                 std::chrono::milliseconds wait);
  Result<auth::v1::Response> ask_again(const auth::v1::Request& request, auth::v1::Response::KindCase expected,
                                       std::chrono::milliseconds wait);

  Open open_auth_;
  std::string session_;
  Reading reading_;
  recorder::Unlock unlock_;
  uint64_t layout_ = 0;  // of the bytes that were read last
  std::string secret_;   // as auth gave it; empty: it has none
  std::string later_keys_;
  std::optional<AuthSession> auth_;  // opened when it is needed
};

}  // namespace cairn::cli
