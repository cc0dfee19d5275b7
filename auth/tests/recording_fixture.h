#pragma once

#include <map>
#include <string>
#include <vector>

#include "auth/tests/auth_fixture.h"
#include "recorder/chunk.h"
#include "recorder/chunk_builder.h"

namespace cairn::auth {

constexpr uint64_t kBootNs = 5'000'000'000'000;

// A session's recording as a node would upload it: one with its Begin, some with output, a final one.
struct TestRecording {
  std::string session_id = random_uuid();
  std::string node_id;
  std::string user = "alice";
  std::string login = "deploy";
  int64_t wall_ns = 0;

  recorder::Event begin() const {
    recorder::Event event;
    event.set_boot_ns(kBootNs);
    recorder::Begin& begin = *event.mutable_begin();
    begin.set_session_id(session_id);
    begin.set_node_id(node_id);
    begin.set_node_name("web-1");
    begin.set_user(user);
    begin.set_login(login);
    begin.set_wall_ns(wall_ns);
    return event;
  }

  static recorder::Event output(uint64_t number) {
    recorder::Event event;
    event.set_boot_ns(kBootNs + number * kNsPerS);
    event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
    event.mutable_output()->set_data(fmt::format("line {}\r\n", number));
    return event;
  }

  static recorder::Event channel(const std::string& command) {
    recorder::Event event;
    event.set_boot_ns(kBootNs + 1'000);  // recordings have microseconds
    event.mutable_channel_opened()->set_command(command);
    return event;
  }

  static recorder::Event end(uint64_t after_s) {
    recorder::Event event;
    event.set_boot_ns(kBootNs + after_s * kNsPerS);
    event.mutable_end()->set_reason(recording::v1::END_REASON_COMPLETE);
    event.mutable_end()->set_execs(3);
    event.mutable_end()->set_kernel_issued(7);
    event.mutable_end()->set_kernel_stored(7);
    return event;
  }

  // Each continues the chunk of the number before that was made last.
  std::string chunk(uint64_t number, const std::vector<recorder::Event>& events, bool is_final = false) const {
    const recorder::ChunkPlace place{.session = uuid_bytes(session_id),
                                     .number = number,
                                     .previous = number == 0 ? "" : leaves[number - 1],
                                     .anchor = kBootNs};
    std::string made;
    if (number == 0) {
      recorder::Opening opening;
      *opening.mutable_begin() = events[0];
      opening.set_certificate(certificate);
      opening.set_sealed_secret(sealed_secret);
      made = recorder::encode_opening(place, opening);
    } else if (is_final) {
      recorder::Closing closing;
      *closing.mutable_end() = events[0];
      made = recorder::encode_closing(place, closing, {});
    } else {
      made = recorder::encode_plain_events(place, events, {});
    }
    if (const auto view = recorder::check_chunk(made)) leaves[number] = recorder::leaf_hash(*view);
    return made;
  }

  // Begin, `middle` chunks of output, the first of which has the command, the end 90 s after the beginning.
  std::vector<std::string> chunks(uint64_t middle = 2, const std::string& command = "uptime") const {
    std::vector<std::string> all;
    all.push_back(chunk(0, {begin()}));
    for (uint64_t i = 1; i <= middle; ++i) {
      std::vector<recorder::Event> events = {output(i)};
      if (i == 1) events.insert(events.begin(), channel(command));
      all.push_back(chunk(i, events));
    }
    all.push_back(chunk(middle + 1, {end(90)}, true));
    return all;
  }

  std::string certificate;
  std::string sealed_secret;  // set: the recording claims to be encrypted
  mutable std::map<uint64_t, std::string> leaves;
};

// A cluster with a node and a person who may log in there, and a session that auth has allowed.
struct Archive : Auth {
  Archive() {
    put_role("ops", {"deploy"}, {{"*", "*"}});
    put_user("alice", {"ops"});
    node = new_node("web-1");
    recording = authorized();
  }

  TestRecording authorized() {
    TestRecording made;
    made.node_id = node.id;
    made.wall_ns = clock.wall_ns();
    const v1::Response response = authorize_session(node, made.session_id, made.user, made.login);
    EXPECT_TRUE(response.has_authorize_session()) << response.error().message();
    made.certificate = response.authorize_session().recording_certificate();
    return made;
  }

  Result<RecordingState> upload(uint64_t number, const std::string& chunk) {
    return recordings->upload(node.id, recording.session_id, number, chunk);
  }
  std::filesystem::path file() const { return folder.path() / "recordings" / (recording.session_id + ".rec"); }
  v1::Session row() { return store->find_session(recording.session_id)->session; }

  Subject node;
  TestRecording recording;
};

inline std::string joined(const std::vector<std::string>& chunks) {
  std::string all;
  for (const std::string& chunk : chunks) all += chunk;
  return all;
}

}  // namespace cairn::auth
