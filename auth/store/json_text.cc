#include "auth/store/json_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cairn::auth {
namespace {

using nlohmann::json;

// The default throws on bytes that are not UTF-8.
std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Failure not_json(const std::string& text, std::string_view form) {
  return fail(Errc::kCorrupt, fmt::format("the database holds \"{}\" where {} belongs", text, form));
}

}  // namespace

std::string json_of(const Labels& labels) { return dump(json(labels)); }

std::string json_of(const google::protobuf::Map<std::string, std::string>& labels) {
  return json_of(Labels(labels.begin(), labels.end()));
}

std::string json_of(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return json_of(std::vector<std::string>(list.begin(), list.end()));
}

std::string json_of(const std::vector<std::string>& list) { return dump(json(list)); }

Result<Labels> labels_from_json(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object()) return not_json(text, "a mapping");
  Labels labels;
  for (const auto& [key, item] : value.items()) {
    if (!item.is_string()) return not_json(text, "a mapping to text");
    labels[key] = item.get<std::string>();
  }
  return labels;
}

Result<std::vector<std::string>> list_from_json(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  if (!value.is_array()) return not_json(text, "a list");
  std::vector<std::string> list;
  for (const json& item : value) {
    if (!item.is_string()) return not_json(text, "a list of text");
    list.push_back(item.get<std::string>());
  }
  return list;
}

}  // namespace cairn::auth
