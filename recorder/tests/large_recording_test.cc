// Cuts at random places of a recording of 20 MB and more. Every place of a small one: torn_recording_test.cc.
#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "base/bytes.h"
#include "recorder/summary.h"
#include "recorder/tests/busy_recording.h"
#include "tests/support/long_form.h"

namespace cairn::recorder {
namespace {

constexpr uint64_t kLargeBytes = uint64_t{21} << 20;
// What a cut may take besides the bytes that are missing. A sealed chunk is flushed every 32 KiB, in batches of up to
// 64 KiB; age opens nothing of a step of 64 KiB that is not whole, and these lines expand to three times that.
constexpr size_t kStepBytes = 96 * 1024;
constexpr size_t kSealedStepBytes = kStepBytes + 3 * 66 * 1024;

// What one chunk, or the rest of one, gives its reader.
struct Shown {
  std::string output;
  std::vector<uint64_t> numbers;  // of the kernel's events

  void add(const Event& event) {
    output += event.output().data();
    if (event.kernel_seq() != 0) numbers.push_back(event.kernel_seq());
  }
  bool begins(const Shown& whole) const {
    return whole.output.starts_with(output) && numbers.size() <= whole.numbers.size() &&
           std::ranges::equal(numbers, std::span(whole.numbers).first(numbers.size()));
  }
};

class LargeRecording : public RecordingFolder, public testing::WithParamInterface<bool> {
 protected:
  LargeRecording() {
    RecordingOptions options;
    if (is_encrypted()) {
      options.keys = std::make_unique<const RecordingKeys>(RecordingKeys::make({recipient_of(auditor_)}));
      options.signer.emplace(Ed25519Key::generate(), "a certificate");
    }
    RecordingWriter writer = make_writer(std::move(options));
    fill_and_seal(writer, LogLines(std::random_device()()), kLargeBytes);
    bytes_ = contents(path_);
    offsets_ = chunk_offsets(bytes_);
    RecordingDecoder decoder = opened();
    for (size_t chunk = 1; chunk + 1 < offsets_.size(); ++chunk) {
      decoder.jump(chunk, offsets_[chunk]);
      decoder.feed(std::string_view(bytes_).substr(offsets_[chunk], offsets_[chunk + 1] - offsets_[chunk]));
      whole_.push_back(take_all(decoder));
    }
  }

  static bool is_encrypted() { return GetParam(); }
  static size_t step_bytes() { return is_encrypted() ? kSealedStepBytes : kStepBytes; }
  Unlock unlock() const {
    return [this](const Opening& opening) -> Result<std::shared_ptr<const RecordingKeys>> {
      Result<RecordingKeys> keys = open_secret(opening.sealed_secret(), {&auditor_, 1});
      if (!keys) return fail(keys);
      return std::make_shared<const RecordingKeys>(std::move(*keys));
    };
  }
  // A reader that has read chunk 0.
  RecordingDecoder opened() const {
    RecordingDecoder decoder(unlock());
    decoder.feed(std::string_view(bytes_).substr(0, offsets_[1]));
    EXPECT_TRUE(decoder.next().value()->has_begin());
    return decoder;
  }
  static Shown take_all(RecordingDecoder& decoder) {
    Shown shown;
    for (;;) {
      const Result<std::optional<Event>> next = decoder.next();
      EXPECT_TRUE(next) << next.error().message;
      if (!next || !*next) return shown;
      shown.add(**next);
    }
  }
  // The chunk in which the byte at `cut` lies, and all before it as a reader meets them who comes from the chunk
  // before.
  void expect_played_to(size_t cut, RecordingDecoder& decoder) const {
    const size_t torn = static_cast<size_t>(std::ranges::upper_bound(offsets_, cut) - offsets_.begin()) - 1;
    const size_t first = torn > 1 ? torn - 1 : 1;
    if (torn == 0) return;  // of the beginning nothing can be saved: torn_recording_test.cc
    decoder.jump(first, offsets_[first]);
    decoder.feed(std::string_view(bytes_).substr(offsets_[first], cut - offsets_[first]));
    const Shown before = take_all(decoder);
    if (first < torn) {
      EXPECT_TRUE(before.output == whole_[first - 1].output && before.numbers == whole_[first - 1].numbers);
    }
    const Result<void> end = decoder.finish();
    ASSERT_FALSE(end);
    EXPECT_EQ(code_of(end), Errc::kTruncated);
    EXPECT_EQ(end.error().message,
              fmt::format("recording ends after {} whole chunks (offset {}); {} bytes of a torn chunk follow", torn,
                          offsets_[torn], cut - offsets_[torn]));
    if (torn + 2 == offsets_.size()) return;  // of the final chunk nothing is salvaged
    Shown salvaged;
    for (const Event& event : decoder.salvage()) salvaged.add(event);
    const Shown& whole = whole_[torn - 1];
    EXPECT_TRUE(salvaged.begins(whole)) << "what is shown is not what was recorded";
    // The lines compress evenly.
    const double share =
        static_cast<double>(cut - offsets_[torn]) / static_cast<double>(offsets_[torn + 1] - offsets_[torn]);
    const auto reached = static_cast<size_t>(share * static_cast<double>(whole.output.size()));
    EXPECT_GE(salvaged.output.size() + step_bytes(), reached);
  }

  Identity auditor_ = AgeIdentity::generate();
  std::string bytes_;
  std::vector<size_t> offsets_;
  std::vector<Shown> whole_;  // of chunks 1, 2, …
};

TEST_P(LargeRecording, IsPlayedToTheCutAtRandomPlaces) {
  ASSERT_GE(bytes_.size(), size_t{20} << 20);
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  RecordingDecoder decoder = opened();
  for (size_t n = short_or_long(150, 10'000); n > 0 && !HasFailure(); --n) {
    const size_t cut = offsets_[1] + random() % (bytes_.size() - offsets_[1]);
    SCOPED_TRACE(testing::Message() << "cut at " << cut);
    expect_played_to(cut, decoder);
  }
}

// The same from the first byte on, as a file.
TEST_P(LargeRecording, IsSummarizedUpToTheCut) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (size_t n = short_or_long(2, 40); n > 0; --n) {
    const size_t cut = offsets_[1] + random() % (bytes_.size() - offsets_[1]);
    SCOPED_TRACE(testing::Message() << "cut at " << cut);
    write_bytes(std::string_view(bytes_).substr(0, cut));
    const Result<Summary> summary = summarize(path_, unlock());
    ASSERT_TRUE(summary) << summary.error().message;
    const size_t torn = static_cast<size_t>(std::ranges::upper_bound(offsets_, cut) - offsets_.begin()) - 1;
    size_t output_bytes = 0;
    for (size_t chunk = 1; chunk < torn; ++chunk) output_bytes += whole_[chunk - 1].output.size();
    EXPECT_EQ(summary->chunks, torn);
    EXPECT_EQ(summary->totals.output_bytes, output_bytes);
    EXPECT_FALSE(summary->is_complete);
    EXPECT_EQ(summary->truncation.value_or(Error()).code, Errc::kTruncated);
  }
}

INSTANTIATE_TEST_SUITE_P(Encryption, LargeRecording, testing::Bool(),
                         [](const auto& info) { return std::string(info.param ? "encrypted" : "plain"); });

}  // namespace
}  // namespace cairn::recorder
