// A cache that somebody has put in the place of ours, and recordings that are made to be derived: states, contents,
// files of segments. And what is derived is the same however often it was saved and restored on the way.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"
#include "recorder/derive/derived_file.h"
#include "recorder/derive/derived_lookup.h"
#include "recorder/derive/deriver.h"
#include "recorder/derive/line_search.h"

using namespace cairn;
using namespace cairn::recorder;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

Event output(std::string_view data, uint64_t boot_ns) {
  Event event;
  event.set_boot_ns(boot_ns);
  event.mutable_output()->set_stream(recording::v1::STREAM_TERMINAL);
  event.mutable_output()->set_data(std::string(data));
  return event;
}

const LineSearch& search() {
  static const LineSearch kSearch = std::move(*LineSearch::compile("[a-z]+", true));
  return kSearch;
}

void look(const derived::v1::Content& content) {
  static_cast<void>(find_text(content, search(), {derived::v1::SOURCE_OUTPUT, derived::v1::SOURCE_NETWORK}));
}

void try_state(std::string_view bytes) {
  static_cast<void>(read_keyframe(bytes));
  static_cast<void>(strip_to_keyframe(bytes));
  Result<Deriver> deriver = Deriver::restore(bytes);
  if (!deriver) return;
  deriver->feed(output("text\x1b[5;5H\x1b[L\r\n\x1b[?1049h", 1));
  deriver->settle();
  look(deriver->take());
  require(static_cast<bool>(Deriver::restore(deriver->save())));
}

void try_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
  require(file && write_all(file.get(), bytes));
  // The header's session is whatever stands there.
  std::array<unsigned char, 16> session = {};
  if (bytes.size() >= 32) std::copy_n(bytes.begin() + 16, 16, session.begin());
  const Result<DerivedFile> derived = DerivedFile::open(std::move(file), session, nullptr);
  if (!derived) return;
  for (const DerivedSegment& segment : derived->segments()) {
    if (const Result<derived::v1::Content> content = derived->content(segment)) look(*content);
  }
  for (const Step step : {Step::kHere, Step::kNextCommand, Step::kPreviousCommand})
    static_cast<void>(find_moment(*derived, 1'000'000, step));
}

// In pieces, with a restart at each.
void try_output(std::string_view bytes, size_t step) {
  Event opened;
  opened.mutable_channel_opened()->set_has_pty(true);
  opened.mutable_channel_opened()->set_columns(20);
  opened.mutable_channel_opened()->set_rows(5);
  Deriver whole;
  Deriver cut;
  whole.feed(opened);
  cut.feed(opened);
  uint64_t now = 0;
  for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(std::min(rest.size(), step))) {
    now += 40'000'000;
    whole.feed(output(rest.substr(0, step), now));
    cut.feed(output(rest.substr(0, step), now));
    Result<Deriver> restored = Deriver::restore(cut.save());
    require(static_cast<bool>(restored));
    static_cast<void>(cut.take());
    cut = std::move(*restored);
  }
  require(whole.save() == cut.save());
  look(whole.take());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(input) + 1, size - 1);
  switch (input[0] % 4) {
    case 0: try_state(bytes); break;
    case 1: try_file(bytes); break;
    case 2: try_output(bytes.substr(0, 400), 1 + input[0] / 16); break;
    default: {
      derived::v1::Content content;
      if (content.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) look(content);
    }
  }
  return 0;
}
