#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include "base/result.h"

namespace cairn::cli {

enum class Fields {
  kAll,  // what has no presence is always there, 0, false and empty too
  kSet,  // what is 0, false or empty is left out
};

// JSON for programs: the message's fields under their names in the .proto, in its order. Numbers are JSON numbers of
// full precision, enums their names, maps objects. A `bytes` field is text when it is UTF-8; when not, it is text with
// U+FFFD for each bad byte, and NAME_base64 beside it holds the very bytes.
nlohmann::ordered_json to_json(const google::protobuf::Message& message, Fields fields = Fields::kAll);

// An array of the messages, one after another.
template <class Messages> nlohmann::ordered_json to_json_array(const Messages& messages) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const auto& message : messages) array.push_back(to_json(message));
  return array;
}

// To standard output, whole, with a line feed.
Result<void> print_json(const nlohmann::ordered_json& value);
// Text to standard output. Fails with EPIPE when its reader has gone; the sentence begins with kStandardOutput.
constexpr std::string_view kStandardOutput = "standard output";
Result<void> print_text(std::string_view text);

// One line without the line feed; never throws on foreign text.
std::string json_line(const nlohmann::ordered_json& value);

}  // namespace cairn::cli
