// A recording whose every word was chosen by an enemy: whatever kind of event it stands in, none of it acts on the
// terminal of the one who plays it or reads an export.
#include <gtest/gtest.h>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "cli/player/transcript.h"
#include "recorder/export/terminal_export.h"
#include "recorder/terminal_filter.h"
#include "recorder/text.h"

namespace cairn::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using recording::v1::Event;

constexpr std::string_view kAttack =
    "\x1b]52;c;cm0gLXJmIH4=\a\x1b]0;x\x1b\\\x1b[6n\x1bP$qm\x1b\\\x1b]8;;http://evil/\x1b\\\x1bPq#0~\x1b\\"
    "\x05\x7f\x1b[?1000h\xc2\2336n\r\n$ a line of its own\b\b";

// Every field; strings are the attack, numbers are one.
void fill(Message& message, int depth = 0) {
  const auto& reflection = *message.GetReflection();
  const std::string attack(kAttack);
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_map()) continue;
    const bool is_many = field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        is_many ? reflection.AddString(&message, field, attack) : reflection.SetString(&message, field, attack);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth > 4) break;
        fill(is_many ? *reflection.AddMessage(&message, field) : *reflection.MutableMessage(&message, field),
             depth + 1);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        if (!is_many) reflection.SetUInt32(&message, field, 1);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        if (!is_many) reflection.SetUInt64(&message, field, 1);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        if (!is_many) reflection.SetInt64(&message, field, 1);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (!is_many) reflection.SetBool(&message, field, true);
        break;
      default: break;
    }
  }
}

std::vector<Event> one_of_each_kind() {
  std::vector<Event> all;
  const auto* kinds = Event::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    Event& event = all.emplace_back();
    event.set_boot_ns(1'000'000 * (all.size()));
    fill(*event.GetReflection()->MutableMessage(&event, kinds->field(i)));
    if (event.has_output()) event.mutable_output()->set_channel(0);
    if (event.has_channel_opened()) event.mutable_channel_opened()->set_channel(0);
  }
  return all;
}

// Filtering it once more changes nothing: all that there is draws.
void expect_only_draws(const std::string& shown, const Event& event) {
  EXPECT_EQ(recorder::TerminalFilter().filter(shown), shown) << event.DebugString();
  EXPECT_EQ(shown.find("\x1b]"), std::string::npos) << event.DebugString();
}

TEST(HostileRecording, HasEventsThatAreOnePrintableLine) {
  for (const Event& event : one_of_each_kind()) {
    const std::string line = recorder::describe(event);
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << line << event.DebugString();
    EXPECT_EQ(line.empty(), event.has_output()) << event.DebugString();
  }
}

TEST(HostileRecording, DrawsAtMostWhenItIsPlayed) {
  for (const EventsMode mode : {EventsMode::kNone, EventsMode::kInline, EventsMode::kOnly}) {
    for (const bool is_terminal : {false, true}) {
      Transcript transcript(mode, is_terminal);
      std::string all;
      for (const Event& event : one_of_each_kind()) {
        const std::string shown = transcript.show(event);
        expect_only_draws(shown, event);
        all += shown + transcript.break_line();
      }
      all += transcript.finish();
      expect_only_draws(all, Event());
    }
  }
}

TEST(HostileRecording, DrawsAtMostWhenAnExportIsPlayed) {
  using recorder::TerminalForm;
  for (const TerminalForm form :
       {TerminalForm::kAsciicast2, TerminalForm::kAsciicast3, TerminalForm::kTypescript, TerminalForm::kText}) {
    recorder::TerminalExport exported({.form = form});
    std::string all;
    for (const Event& event : one_of_each_kind()) all += exported.add(event);
    all += exported.finish();
    EXPECT_NE(all.find("a line of its own"), std::string::npos) << "the output is there";
    expect_only_draws(all, Event());
    if (form != TerminalForm::kText && form != TerminalForm::kTypescript) {
      for (const char* answer : {"]52;", "[6n", "$qm", "]8;;", "Pq#0", "1000h"})
        EXPECT_EQ(all.find(std::string("u001b") + answer), std::string::npos) << answer;
    }
  }
}

}  // namespace
}  // namespace cairn::cli
