#include "recorder/age/header.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "recorder/age/age.h"

namespace cairn::recorder {
namespace {

constexpr std::string_view kVersionLine = "age-encryption.org/v1\n";
constexpr std::string_view kStanzaBegin = "-> ";
constexpr std::string_view kMacBegin = "---";
constexpr size_t kColumns = 64;
constexpr size_t kMacBytes = 32;

Failure bad(std::string what) { return fail(Errc::kCorrupt, "age header: " + std::move(what)); }

// Takes lines off the front of a text.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  std::optional<std::string_view> next() {
    const size_t end = text_.find('\n', at_);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }
  bool next_is(std::string_view begin) const { return text_.substr(at_).starts_with(begin); }
  size_t at() const { return at_; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

Result<std::vector<std::string>> parse_arguments(std::string_view line) {
  std::vector<std::string> arguments;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view argument = line.substr(at, end - at);
    const bool is_visible = std::ranges::all_of(argument, [](char c) { return c >= '!' && c <= '~'; });
    if (argument.empty() || !is_visible) return bad("a stanza with a bad argument");
    arguments.emplace_back(argument);
    at = end + 1;
  }
  return arguments;
}

Result<std::string> parse_body(Lines& lines) {
  std::string body;
  for (;;) {
    const std::optional<std::string_view> line = lines.next();
    if (!line) return bad("it ends inside a stanza");
    if (line->size() > kColumns) return bad("a stanza's line is too long");
    Result<std::string> part = from_age_base64(*line);
    if (!part) return bad("a stanza's body is no base64");
    body += *part;
    if (line->size() < kColumns) return body;
  }
}

}  // namespace

std::string age_base64(std::string_view bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

Result<std::string> from_age_base64(std::string_view text) {
  if (text.empty()) return std::string();
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  Result<std::string> bytes = from_base64(padded);
  if (!bytes || age_base64(*bytes) != text) return fail(Errc::kInvalid, "not canonical base64");
  return bytes;
}

Result<AgeHeader> parse_age_header(std::string_view file) {
  if (!file.starts_with(kVersionLine)) return bad("it does not begin with the line of age v1");
  const std::string_view text = file.substr(0, kMaxAgeHeaderBytes);
  Lines lines(text);
  lines.next();
  AgeHeader header;
  while (lines.next_is(kStanzaBegin)) {
    const std::optional<std::string_view> line = lines.next();
    if (!line) return bad("it ends inside a stanza");
    Result<std::vector<std::string>> arguments = parse_arguments(line->substr(kStanzaBegin.size()));
    if (!arguments) return fail(arguments);
    Result<std::string> body = parse_body(lines);
    if (!body) return fail(body);
    header.stanzas.push_back({.arguments = std::move(*arguments), .body = std::move(*body)});
  }
  if (header.stanzas.empty()) return bad("it has no recipients");
  header.mac_covers = text.substr(0, lines.at() + kMacBegin.size());
  const std::optional<std::string_view> line = lines.next();
  if (!line || !line->starts_with(std::string(kMacBegin) + " ")) return bad("its last line is missing");
  const Result<std::string> mac = from_age_base64(line->substr(kMacBegin.size() + 1));
  if (!mac || mac->size() != kMacBytes) return bad("its last line holds no code of 32 bytes");
  header.mac = *mac;
  header.bytes = lines.at();
  return header;
}

std::string age_header_text(const std::vector<AgeStanza>& stanzas) {
  std::string text(kVersionLine);
  for (const AgeStanza& stanza : stanzas) {
    text += "->";
    for (const std::string& argument : stanza.arguments) text += ' ' + argument;
    text += '\n';
    const std::string body = age_base64(stanza.body);
    for (size_t at = 0; at <= body.size(); at += kColumns) text += body.substr(at, kColumns) + '\n';
  }
  return text + std::string(kMacBegin);
}

std::string finish_age_header(std::string text, std::string_view mac) { return text + ' ' + age_base64(mac) + '\n'; }

}  // namespace cairn::recorder
