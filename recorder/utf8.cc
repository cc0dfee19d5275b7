#include "recorder/utf8.h"

#include <algorithm>

namespace cairn::recorder {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool is_continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

// Length of the well-formed character at the beginning of `text`, which is not empty; 0 when there is none.
size_t whole_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = utf8_length(lead);
  if (length == 0 || length > text.size()) return 0;
  if (length == 1) return 1;
  if (!is_utf8_second(lead, static_cast<unsigned char>(text[1]))) return 0;
  const std::string_view rest = text.substr(2, length - 2);
  return std::ranges::all_of(rest, [](char c) { return is_continuation(static_cast<unsigned char>(c)); }) ? length : 0;
}

void make_valid(std::string* text) {
  if (!is_utf8(*text)) *text = with_replacements(*text);
}

void make_valid(recording::v1::Process* process) { make_valid(process->mutable_comm()); }

void make_valid(Begin* begin) {
  for (std::string* text : {begin->mutable_session_id(), begin->mutable_cluster(), begin->mutable_node_id(),
                            begin->mutable_node_name(), begin->mutable_user(), begin->mutable_login(),
                            begin->mutable_client_address(), begin->mutable_boot_id(), begin->mutable_agent_version(),
                            begin->mutable_kernel(), begin->mutable_capture_tier(), begin->mutable_policy()}) {
    make_valid(text);
  }
  for (std::string& hook : *begin->mutable_hooks()) make_valid(&hook);
}

}  // namespace

size_t utf8_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

bool is_utf8_second(unsigned char lead, unsigned char next) {
  if (!is_continuation(next)) return false;
  switch (lead) {
    case 0xe0: return next >= 0xa0;
    case 0xed: return next <= 0x9f;
    case 0xf0: return next >= 0x90;
    case 0xf4: return next <= 0x8f;
    default: return true;
  }
}

void append_utf8(std::string& text, char32_t character) {
  if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += static_cast<char>(0xc0 | character >> 6);
    text += static_cast<char>(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    text += static_cast<char>(0xe0 | character >> 12);
    text += static_cast<char>(0x80 | (character >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (character & 0x3f));
  } else {
    text += static_cast<char>(0xf0 | character >> 18);
    text += static_cast<char>(0x80 | (character >> 12 & 0x3f));
    text += static_cast<char>(0x80 | (character >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (character & 0x3f));
  }
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = whole_character(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string with_replacements(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const size_t length = whole_character(text);
    valid += length != 0 ? text.substr(0, length) : kReplacement;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return valid;
}

void make_strings_valid(Event& event) {
  switch (event.kind_case()) {
    case Event::kBegin: make_valid(event.mutable_begin()); break;
    case Event::kExec: make_valid(event.mutable_exec()->mutable_process()); break;
    case Event::kOpen: make_valid(event.mutable_open()->mutable_process()); break;
    case Event::kConnect: make_valid(event.mutable_connect()->mutable_process()); break;
    case Event::kChange: make_valid(event.mutable_change()->mutable_process()); break;
    case Event::kSocket: make_valid(event.mutable_socket()->mutable_process()); break;
    case Event::kTamper: make_valid(event.mutable_tamper()->mutable_process()); break;
    case Event::kProcessExit: make_valid(event.mutable_process_exit()->mutable_process()); break;
    case Event::kChannelOpened:
      make_valid(event.mutable_channel_opened()->mutable_command());
      make_valid(event.mutable_channel_opened()->mutable_term());
      break;
    case Event::kChannelClosed: make_valid(event.mutable_channel_closed()->mutable_exit_signal()); break;
    case Event::kForward:
      make_valid(event.mutable_forward()->mutable_host());
      make_valid(event.mutable_forward()->mutable_reason());
      break;
    default: break;
  }
}

}  // namespace cairn::recorder
