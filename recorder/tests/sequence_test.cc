#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>
#include <set>

#include "recorder/sequence_ledger.h"
#include "recorder/sequence_set.h"

namespace cairn::recorder {

// For GoogleTest's messages.
void PrintTo(const SequenceRange& range, std::ostream* out) { *out << range.from << ".." << range.to; }

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMax = ~uint64_t{0};
using Ranges = std::vector<SequenceRange>;

TEST(SequenceSet, JoinsRangesThatTouch) {
  SequenceSet set;
  set.insert({1, 3});
  set.insert({7, 9});
  set.insert({4, 6});
  EXPECT_EQ(set.lowest(10), (Ranges{{1, 9}}));
  EXPECT_EQ(set.erase({3, 5}), 3u);
  EXPECT_EQ(set.lowest(10), (Ranges{{1, 2}, {6, 9}}));
  EXPECT_EQ(set.absent({1, 12}), (Ranges{{3, 5}, {10, 12}}));
}

TEST(SequenceSet, HoldsTheLargestNumber) {
  SequenceSet set;
  set.insert({kMax - 1, kMax});
  set.insert({1, 1});
  set.insert({kMax, kMax});
  EXPECT_EQ(set.count(), 3u);
  EXPECT_EQ(set.absent({kMax, kMax}), Ranges{});
  EXPECT_EQ(set.erase({kMax, kMax}), 1u);
  EXPECT_EQ(set.absent({kMax - 1, kMax}), (Ranges{{kMax, kMax}}));
}

TEST(SequenceSet, AgreesWithAPlainSet) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  SequenceSet set;
  std::set<uint64_t> plain;
  for (int step = 0; step < 3000; ++step) {
    const uint64_t from = 1 + random() % 200;
    const SequenceRange range{from, from + random() % 8};
    uint64_t erased = 0;
    const bool inserts = random() % 2 == 0;
    for (uint64_t n = range.from; n <= range.to; ++n) {
      if (inserts) {
        plain.insert(n);
      } else {
        erased += plain.erase(n);
      }
    }
    if (inserts) {
      set.insert(range);
    } else {
      ASSERT_EQ(set.erase(range), erased);
    }
    ASSERT_EQ(set.count(), plain.size());
    ASSERT_EQ(set.highest(), plain.empty() ? 0 : *plain.rbegin());
    uint64_t absent = 0;
    for (const SequenceRange gap : set.absent({1, 300})) absent += gap.count();
    ASSERT_EQ(absent, 300 - plain.size());
    ASSERT_EQ(set.contains(from), plain.contains(from));
  }
}

TEST(SequenceLedger, WaitsASecondBeforeANumberIsMissing) {
  SequenceLedger ledger;
  ledger.note(1);
  ledger.note(4);
  EXPECT_EQ(ledger.overdue(5 * kSecond), Ranges{}) << "the second begins when the hole is first looked at";
  EXPECT_EQ(ledger.overdue(6 * kSecond - 1), Ranges{});
  EXPECT_EQ(ledger.overdue(6 * kSecond), (Ranges{{2, 3}}));
  EXPECT_EQ(ledger.overdue(60 * kSecond), Ranges{}) << "a gap is told once";
  EXPECT_EQ(ledger.stored(), 2u);
  EXPECT_EQ(ledger.missing(), 2u);
}

TEST(SequenceLedger, LetsTheEventWinThatComesAfterItsGap) {
  SequenceLedger ledger;
  ledger.note(3);
  ledger.overdue(kSecond);
  ledger.overdue(2 * kSecond);
  EXPECT_EQ(ledger.missing(), 2u);
  EXPECT_EQ(ledger.note(2), SequenceLedger::Seen::kAfterGap);
  EXPECT_EQ(ledger.note(2), SequenceLedger::Seen::kRepeated);
  EXPECT_EQ(ledger.stored(), 2u);
  EXPECT_EQ(ledger.missing(), 1u);
}

TEST(SequenceLedger, FindsWhatIsMissingAtTheEnd) {
  SequenceLedger ledger;
  ledger.note(2);
  EXPECT_EQ(ledger.finish(5), (Ranges{{1, 1}, {3, 5}}));
  EXPECT_EQ(ledger.stored() + ledger.missing(), 5u);
}

TEST(SequenceLedger, TakesAGapFromOthersForWhatIsNotStored) {
  SequenceLedger ledger;
  ledger.note(1);
  ledger.note(3);
  ledger.declare({2, 5});
  EXPECT_EQ(ledger.missing(), 3u) << "2, 4 and 5; 3 is stored";
  ledger.declare({9, 9});
  EXPECT_EQ(ledger.finish(10), (Ranges{{6, 8}, {10, 10}}));
  EXPECT_EQ(ledger.stored() + ledger.missing(), 10u);
}

TEST(SequenceLedger, CountsALostNumberAsMissing) {
  SequenceLedger ledger;
  for (uint64_t n = 1; n <= 3; ++n) ledger.note(n);
  ledger.lose(2);
  EXPECT_EQ(ledger.stored(), 2u);
  EXPECT_EQ(ledger.missing(), 1u);
}

TEST(SequenceLedger, SurvivesImpossibleNumbers) {
  SequenceLedger ledger;
  ledger.note(kMax);
  ledger.note(1);
  EXPECT_EQ(ledger.finish(kMax), (Ranges{{2, kMax - 1}}));
  EXPECT_EQ(ledger.stored() + ledger.missing(), kMax);
}

TEST(SequenceLedger, BoundsItsOpenHoles) {
  SequenceLedger ledger;
  const uint64_t holes = SequenceLedger::kMaxOpenHoles + 10;
  for (uint64_t n = 1; n <= holes; ++n) ledger.note(2 * n);
  EXPECT_EQ(ledger.overdue(kSecond).size(), 10u) << "the oldest are told before their time";
  EXPECT_EQ(ledger.finish(2 * holes).size(), SequenceLedger::kMaxOpenHoles);
  EXPECT_EQ(ledger.stored() + ledger.missing(), 2 * holes);
}

// Whatever order numbers come in, whatever is dropped, whenever one looks: each number ends in exactly one place.
TEST(SequenceLedger, AccountsForEveryNumberInAnyOrder) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const uint64_t issued = 1 + random() % 300;
    std::vector<uint64_t> arriving;
    for (uint64_t n = 1; n <= issued; ++n) {
      if (random() % 10 != 0) arriving.push_back(n);
    }
    for (size_t i = 0; i + 1 < arriving.size(); ++i) {
      std::swap(arriving[i], arriving[std::min<size_t>(i + random() % 20, arriving.size() - 1)]);
    }
    SequenceLedger ledger;
    std::set<uint64_t> in_gaps;
    uint64_t now = kSecond;
    const auto take = [&](const Ranges& ranges) {
      for (const SequenceRange range : ranges) {
        for (uint64_t n = range.from; n <= range.to; ++n) {
          ASSERT_TRUE(in_gaps.insert(n).second) << n << " is in two gaps";
        }
      }
    };
    for (const uint64_t number : arriving) {
      ASSERT_NE(ledger.note(number), SequenceLedger::Seen::kRepeated);
      if (random() % 8 == 0) take(ledger.overdue(now += random() % (2 * kSecond)));
    }
    take(ledger.finish(issued));
    ASSERT_EQ(ledger.stored(), arriving.size());
    ASSERT_EQ(ledger.stored() + ledger.missing(), issued);
    const std::set<uint64_t> stored(arriving.begin(), arriving.end());
    for (uint64_t n = 1; n <= issued; ++n) {
      ASSERT_TRUE(stored.contains(n) || in_gaps.contains(n)) << n << " is nowhere";
    }
    for (const uint64_t n : stored) in_gaps.erase(n);
    ASSERT_EQ(in_gaps.size(), ledger.missing());
  }
}

}  // namespace
}  // namespace cairn::recorder
