#pragma once

#include <map>
#include <string>
#include <vector>

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "auth/store/records.h"
#include "base/result.h"

namespace cairn::auth {

// Lists and mappings of text as JSON, the form in which columns hold them: readable to people with an SQL shell.
std::string json_of(const Labels& labels);
std::string json_of(const google::protobuf::Map<std::string, std::string>& labels);
std::string json_of(const google::protobuf::RepeatedPtrField<std::string>& list);
std::string json_of(const std::vector<std::string>& list);
//   fails  kCorrupt: the text is not of that form
Result<Labels> labels_from_json(const std::string& text);
Result<std::vector<std::string>> list_from_json(const std::string& text);

}  // namespace cairn::auth
