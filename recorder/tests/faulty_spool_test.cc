// A recording on a disk that fails at its first operation, at its second, and so on until a run meets no fault any
// more; in every way that a disk can fail, once and for a while. Afterwards power may be lost. What was confirmed is
// there.
#include <functional>
#include <numeric>

#include "base/bytes.h"
#include "recorder/summary.h"
#include "recorder/tail_file.h"
#include "recorder/tests/test_recording.h"
#include "tests/support/faulty_disk.h"

namespace cairn::recorder {
namespace {

constexpr uint64_t kRounds = 8;
constexpr uint64_t kHealedBefore = 6;  // the round before which a fault that lasts is over
constexpr uint64_t kNeverCame = 3;
constexpr std::string_view kBootId = "this boot";

struct Harm {
  DiskFault fault;
  bool lasts;        // until kHealedBefore, not for one operation
  bool loses_power;  // after the writer is gone
};

std::string line(uint64_t number) { return fmt::format("line {:04} {}\r\n", number, std::string(300, 'x')); }

class FaultySpool : public RecordingFolder, public testing::WithParamInterface<Harm> {
 protected:
  struct Run {
    bool is_begun = false;
    bool is_sealed = false;
    uint64_t confirmed = 0;  // rounds whose lines and programs flush_all() has confirmed
    uint64_t added = 0;      // rounds
    std::optional<Error> refusal;
  };

  RecordingOptions options() {
    RecordingOptions made;
    made.seal_raw_bytes = 1000;  // every third round
    made.signer.emplace(Ed25519Key::generate(), "a certificate");
    return made;
  }

  // One round's output, program and flush; what a worker does.
  void add_round(RecordingWriter& writer, Run& run) {
    const uint64_t now_ns = kStartNs + ++run.added * 600 * kMs;
    writer.add(make_output(now_ns, line(run.added)));
    writer.add(make_exec(now_ns, run.added));
    const Result<void> flushed = writer.flush_all(now_ns);
    if (flushed) run.confirmed = run.added;
    if (!flushed && flushed.error().code != Errc::kSpoolFull) run.refusal = flushed.error();
  }

  // Read-only means: nothing is written any more, and each call says why.
  void expect_read_only(RecordingWriter& writer, const Run& run) {
    const std::string before = contents(path_);
    for (const Result<void>& later :
         {writer.flush(kStartNs + 9000 * kMs), writer.flush_all(kStartNs + 9000 * kMs),
          writer.seal(recording::v1::END_REASON_COMPLETE, run.added, kStartNs + 9000 * kMs)}) {
      ASSERT_FALSE(later);
      EXPECT_EQ(later.error().message, run.refusal->message);
    }
    EXPECT_EQ(contents(path_), before);
  }

  Run write(FaultyDisk& disk) {
    Run run;
    Result<RecordingWriter> writer = RecordingWriter::create(path_, begin(), kStartNs, options());
    run.is_begun = static_cast<bool>(writer);
    if (!writer) return run;
    for (uint64_t round = 1; round <= kRounds && !run.refusal; ++round) {
      if (round == kHealedBefore && GetParam().lasts) disk.heal();
      add_round(*writer, run);
    }
    if (run.refusal) {
      expect_read_only(*writer, run);
      return run;
    }
    // The kernel gave out numbers that never came, and somebody sets the clock between two attempts.
    ClockAnchor end(kStartNs + 8000 * kMs, kStartNs, 1'700'000'000'000'000'000);
    for (int attempt = 0; attempt < 3 && !run.is_sealed; ++attempt) {
      const Result<void> sealed = writer->seal(recording::v1::END_REASON_COMPLETE, run.added + kNeverCame, end);
      end.wall_ns += 10'000'000'000;
      run.is_sealed = static_cast<bool>(sealed);
      // As a session does: only for want of room again.
      if (!sealed && sealed.error().code != Errc::kSpoolFull) break;
    }
    return run;
  }

  Begin begin() const {
    Begin begin = make_begin();
    begin.set_boot_id(std::string(kBootId));
    return begin;
  }

  // What the supervisor does when the worker is gone.
  void close_it(bool has_power_been_lost) {
    const Result<void> closed =
        close_interrupted(path_, kStartNs + 9000 * kMs, has_power_been_lost ? "the next boot" : std::string(kBootId),
                          kRounds + kNeverCame);
    EXPECT_TRUE(closed) << closed.error().message;
  }

  void expect_accounted(const Run& run) {
    const Result<Summary> read = summarize(path_);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->is_accounted);
    EXPECT_EQ(read->findings, std::vector<std::string>());
    EXPECT_EQ(read->kernel_stored + read->kernel_missing, read->kernel_issued);
    const bool is_interrupted = read->end.value_or(End()).reason() == recording::v1::END_REASON_INTERRUPTED;
    if (run.is_sealed) EXPECT_FALSE(is_interrupted);
    // A session that ended as it should has lost nothing that is not on record.
    if (!is_interrupted) {
      EXPECT_EQ(read->kernel_issued, run.added + kNeverCame);
      EXPECT_EQ(read->totals.output_bytes + read->missing_output_bytes, run.added * line(1).size());
    }
    expect_each_once(run, play(contents(path_)));
  }

  // In their order, none twice, and all that was confirmed.
  void expect_each_once(const Run& run, const Played& played) {
    EXPECT_TRUE(played.end) << played.end.error().message;
    std::string output;
    std::vector<uint64_t> programs;
    for (const Event& event : played.events) {
      output += event.output().data();
      if (event.kernel_seq() != 0) programs.push_back(event.kernel_seq());
    }
    uint64_t last = 0;
    for (size_t at = 0; at < output.size(); at += line(1).size()) {
      const uint64_t number = std::stoull(output.substr(at + 5, 4));
      EXPECT_EQ(output.substr(at, line(1).size()), line(number));
      EXPECT_GT(number, last);
      if (number <= run.confirmed) EXPECT_EQ(number, last + 1) << "a confirmed line is missing";
      last = number;
    }
    EXPECT_GE(last, run.confirmed);
    std::vector<uint64_t> confirmed(run.confirmed);
    std::iota(confirmed.begin(), confirmed.end(), 1);
    EXPECT_TRUE(std::ranges::includes(programs, confirmed));
    EXPECT_EQ(std::ranges::adjacent_find(programs), programs.end());
  }
};

TEST_P(FaultySpool, LosesNothingThatWasConfirmedAndAccountsForTheRest) {
  const Harm& harm = GetParam();
  uint64_t runs = 0;
  for (uint64_t nth = 1; !HasFailure(); ++nth) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    FaultyDisk disk(folder_);
    disk.fail(harm.fault, nth, harm.lasts ? UINT64_MAX : 0);
    const Run run = write(disk);
    if (disk.operations() < nth) break;
    ++runs;
    SCOPED_TRACE(testing::Message() << "operation " << nth << ", " << disk.first_failure() << ": "
                                    << (run.refusal ? run.refusal->message : "survived"));
    disk.heal();
    if (harm.loses_power) disk.lose_power();
    if (!run.is_begun && !harm.lasts) EXPECT_FALSE(std::filesystem::exists(path_)) << "of a session that was refused";
    // A disk that goes on failing may keep its name, and then it is a recording like others.
    if (!run.is_begun && !std::filesystem::exists(path_)) continue;
    ASSERT_TRUE(std::filesystem::exists(path_));
    close_it(harm.loses_power);
    expect_accounted(run);
    EXPECT_FALSE(is_locked(path_).value());
  }
  EXPECT_GT(runs, kRounds) << "hardly a fault was met";
}

std::vector<Harm> all_harm() {
  std::vector<Harm> all;
  for (const DiskFault fault : kAllDiskFaults) {
    for (const bool lasts : {false, true}) {
      for (const bool loses_power : {false, true}) all.push_back({fault, lasts, loses_power});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(EachWay, FaultySpool, testing::ValuesIn(all_harm()), [](const auto& info) {
  return fmt::format("{}_{}{}", name_of(info.param.fault), info.param.lasts ? "lasting" : "once",
                     info.param.loses_power ? "_then_power_lost" : "");
});

}  // namespace
}  // namespace cairn::recorder
