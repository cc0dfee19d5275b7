#include "recorder/html/event_list.h"

#include <fcntl.h>

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "recorder/text.h"

namespace cairn::recorder {
namespace {

using namespace recording::v1;

const Process* process_of(const Event& event) {
  switch (event.kind_case()) {
    case Event::kExec: return &event.exec().process();
    case Event::kOpen: return &event.open().process();
    case Event::kConnect: return &event.connect().process();
    case Event::kProcessExit: return &event.process_exit().process();
    case Event::kChange: return &event.change().process();
    case Event::kSocket: return &event.socket().process();
    case Event::kTamper: return &event.tamper().process();
    default: return nullptr;
  }
}

bool writes(const Open& open) {
  return open.created() || (open.flags() & O_ACCMODE) != O_RDONLY || (open.flags() & (O_CREAT | O_TRUNC)) != 0;
}

// Libraries are mapped by every program: only memory of no file is news.
bool is_library(const Tamper& tamper) { return tamper.kind() == TAMPER_KIND_MAP_EXEC && tamper.has_file(); }

ListedKind kind_of(const Event& event) {
  switch (event.kind_case()) {
    case Event::kExec:
    case Event::kHostExec: return ListedKind::kProgram;
    case Event::kOpen: return writes(event.open()) ? ListedKind::kFileWritten : ListedKind::kFileRead;
    case Event::kChange: return ListedKind::kFileWritten;
    case Event::kFolded: return ListedKind::kFileRead;
    case Event::kConnect:
    case Event::kSocket:
    case Event::kForward: return ListedKind::kNetwork;
    case Event::kProcessExit:
    case Event::kExecutableHash: return ListedKind::kEnd;
    case Event::kInput: return ListedKind::kInput;
    case Event::kOutputNotKept:
    case Event::kGap: return ListedKind::kGap;
    case Event::kTamper: return is_library(event.tamper()) ? ListedKind::kFileRead : ListedKind::kTamper;
    default: return ListedKind::kSession;
  }
}

void cut_line(std::string& line) {
  constexpr std::string_view kCut = "...";
  if (line.size() <= EventList::kMaxLineBytes) return;
  line.resize(EventList::kMaxLineBytes - kCut.size());
  line += kCut;
}

// The kernel's words for an event begin with what it is, padded to a column.
std::string without_padding(const std::string& text) {
  const size_t word = text.find(' ');
  if (word == std::string::npos) return text;
  const size_t rest = text.find_first_not_of(' ', word);
  return rest == std::string::npos ? text : text.substr(0, word + 1) + text.substr(rest);
}

}  // namespace

void EventList::add(const Event& event) {
  if (event.has_output() || event.kind_case() == Event::KIND_NOT_SET) return;
  commands_.feed(event);
  std::vector<derived::v1::Command> started = commands_.take_started();
  ListedEvent listed{.at_ms = clock_.ms_of(event.boot_ns()), .kind = kind_of(event), .text = {}, .detail = {}};
  if (event.has_exec() && event.exec().result() == 0) {
    listed.text = command_line_of(event.exec(), kMaxLineBytes);
    listed.detail = quoted_if_needed(event.exec().executable().path());
  } else {
    listed.text = without_padding(describe(event));
  }
  if (!started.empty()) {
    listed.kind = ListedKind::kCommand;
    if (!event.has_exec()) listed.detail = std::exchange(listed.text, std::move(*started.back().mutable_text()));
  }
  if (const Process* process = process_of(event)) {
    listed.detail = fmt::format("pid {} uid {} {}{}{}", process->pid(), process->uid(),
                                quoted_if_needed(process->comm()), listed.detail.empty() ? "" : " ", listed.detail);
  }
  cut_line(listed.text);
  cut_line(listed.detail);
  text_bytes_ += listed.text.size() + listed.detail.size();
  events_.push_back(std::move(listed));
}

}  // namespace cairn::recorder
