// Terminal output of hostile programs, and saved screens of hostile caches. However the output is cut, the screen is
// the same; saved and restored, too; and what is exported of it cannot act on a terminal.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "recorder/export/terminal_export.h"
#include "recorder/screen/terminal_track.h"

using namespace cairn;
using namespace cairn::recorder;

namespace {

Event output(std::string_view data) {
  Event event;
  event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
  event.mutable_output()->set_data(std::string(data));
  return event;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(input) + 2, size - 2);
  Event opened;
  opened.mutable_channel_opened()->set_has_pty(true);
  opened.mutable_channel_opened()->set_columns(input[0]);
  opened.mutable_channel_opened()->set_rows(input[1] % 60);
  TerminalTrack whole;
  TerminalTrack cut;
  whole.feed(opened);
  cut.feed(opened);
  whole.feed(output(bytes));
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t step = 1 + input[0] % 7;
    cut.feed(output(rest.substr(0, step)));
    rest.remove_prefix(std::min(rest.size(), step));
  }
  require(whole.save() == cut.save());
  Result<TerminalTrack> restored = TerminalTrack::restore(whole.save());
  require(restored && restored->save() == whole.save());

  if (Result<TerminalTrack> hostile = TerminalTrack::restore(bytes)) {
    hostile->feed(output("text\x1b[5;5H\x1b[L\x1b[3@\x1b[2P\r\n\x1b[?1049h"));
    hostile->feed(opened);
    static_cast<void>(hostile->screen().drawing());
  }
  TerminalExport text({.form = TerminalForm::kText});
  for (const char c : text.add(opened) + text.add(output(bytes)) + text.finish()) require(c != '\x1b');
  TerminalExport cast({.form = TerminalForm::kAsciicast2});
  static_cast<void>(cast.add(opened) + cast.add(output(bytes)) + cast.finish());
  return 0;
}
