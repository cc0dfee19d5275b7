#include "cli/print/json.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "recorder/utf8.h"

namespace cairn::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

using recorder::is_utf8;

Json lossy_text(const std::string& bytes) { return recorder::with_replacements(bytes); }

Json scalar(const Message& message, const FieldDescriptor* field, int index, Fields fields) {
  const Reflection* reflection = message.GetReflection();
  const bool is_repeated = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return is_repeated ? reflection->GetRepeatedInt32(message, field, index) : reflection->GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return is_repeated ? reflection->GetRepeatedInt64(message, field, index) : reflection->GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return is_repeated ? reflection->GetRepeatedUInt32(message, field, index) : reflection->GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return is_repeated ? reflection->GetRepeatedUInt64(message, field, index) : reflection->GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return is_repeated ? reflection->GetRepeatedDouble(message, field, index) : reflection->GetDouble(message, field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return is_repeated ? reflection->GetRepeatedFloat(message, field, index) : reflection->GetFloat(message, field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return is_repeated ? reflection->GetRepeatedBool(message, field, index) : reflection->GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return (is_repeated ? reflection->GetRepeatedEnum(message, field, index) : reflection->GetEnum(message, field))
          ->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return lossy_text(is_repeated ? reflection->GetRepeatedString(message, field, index)
                                    : reflection->GetString(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(
          is_repeated ? reflection->GetRepeatedMessage(message, field, index) : reflection->GetMessage(message, field),
          fields);
  }
  return nullptr;
}

// Only maps from string to string exist in Cairn's messages.
Json map_object(const Message& message, const FieldDescriptor* field) {
  std::map<std::string, std::string> sorted;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); i++) {
    const Message& entry = message.GetReflection()->GetRepeatedMessage(message, field, i);
    const Reflection* reflection = entry.GetReflection();
    sorted[reflection->GetString(entry, entry.GetDescriptor()->FindFieldByNumber(1))] =
        reflection->GetString(entry, entry.GetDescriptor()->FindFieldByNumber(2));
  }
  Json object = Json::object();
  for (const auto& [key, value] : sorted) object[key] = lossy_text(value);
  return object;
}

// The bytes themselves where a bytes field is not text; null where all of it is.
Json base64_of(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  if (!field->is_repeated()) {
    const std::string bytes = reflection->GetString(message, field);
    return is_utf8(bytes) ? Json(nullptr) : Json(to_base64(bytes));
  }
  bool is_text = true;
  Json array = Json::array();
  for (int i = 0; i < reflection->FieldSize(message, field); i++) {
    const std::string bytes = reflection->GetRepeatedString(message, field, i);
    is_text = is_text && is_utf8(bytes);
    array.push_back(to_base64(bytes));
  }
  return is_text ? Json(nullptr) : array;
}

}  // namespace

Json to_json(const Message& message, Fields fields) {
  Json object = Json::object();
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); i++) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const bool is_set =
        field->is_repeated() ? reflection->FieldSize(message, field) > 0 : reflection->HasField(message, field);
    if (!is_set && (field->has_presence() || fields == Fields::kSet)) continue;
    if (field->is_map()) {
      object[field->name()] = map_object(message, field);
      continue;
    }
    if (field->is_repeated()) {
      Json array = Json::array();
      for (int k = 0; k < reflection->FieldSize(message, field); k++)
        array.push_back(scalar(message, field, k, fields));
      object[field->name()] = std::move(array);
    } else {
      object[field->name()] = scalar(message, field, 0, fields);
    }
    if (field->type() != FieldDescriptor::TYPE_BYTES) continue;
    if (Json exact = base64_of(message, field); !exact.is_null()) object[field->name() + "_base64"] = std::move(exact);
  }
  return object;
}

std::string json_line(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<void> print_json(const Json& value) {
  return print_text(value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<void> print_text(std::string_view text) {
  if (const Result<void> written = write_all(STDOUT_FILENO, text); !written) return fail(written, kStandardOutput);
  return {};
}

}  // namespace cairn::cli
