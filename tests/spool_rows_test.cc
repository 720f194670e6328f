// Rows that leave the middle of their line, and letters of parts.
#include <gtest/gtest.h>

#include "spool_fixture.h"

namespace limpet::sim {
namespace {

constexpr size_t kBytes = 1331;

struct SpoolRows : testing::Test {
  void SetUp() override {
    SqliteHeap::Get();
    Open();
  }
  void Open(const SpoolOptions& options = {}) {
    rig.emplace(flash, options);
    SpoolOpened opened;
    ASSERT_TRUE(rig->Open(opened).ok());
  }
  /// The row is done with, while others before it are held.
  void Done(Signal signal, SpoolRow row) {
    rig->job.done_rows[rig->job.done_row_count++] = {signal, row};
    Account& account = rig->loop.accounts[Index(signal)];
    const uint32_t items = MakeBatch(signal, row, kBytes).header.items;
    account.delivered += items;
    rig->loop.held[Index(signal)] -= items;
    rig->job.account.accounts = rig->loop.accounts;
  }
  std::vector<SpoolRow> ReadRows(Signal signal, std::initializer_list<SpoolRow> past = {}) {
    rig->Begin(false);
    rig->job.read = true;
    rig->job.read_signal = signal;
    rig->job.read_after = 0;
    for (const SpoolRow row : past) rig->job.read_past[rig->job.read_past_count++] = row;
    EXPECT_TRUE(rig->Run().ok());
    std::vector<SpoolRow> rows;
    for (size_t n = 0; n < rig->job.read_count; ++n) rows.push_back(rig->job.reads[n].row);
    return rows;
  }
  void AddFive() {
    rig->Begin();
    for (int n = 0; n < 5; ++n) rig->Add(Signal::kLogs, kBytes);
    ASSERT_TRUE(rig->Run().ok());
  }

  SimFlash flash;
  std::optional<SpoolRig> rig;
};

TEST_F(SpoolRows, GoAtOnceAndOnlyOnce) {
  AddFive();
  rig->Begin();
  Done(Signal::kLogs, 3);
  Done(Signal::kLogs, 5);
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_EQ(rig->job.totals[1].batches, 3u);
  EXPECT_EQ(ReadRows(Signal::kLogs), (std::vector<SpoolRow>{1, 2, 4}));
  // Once more, as after a job that had only seemed to fail; and one that is nowhere.
  rig->Begin();
  rig->job.done_rows[0] = {Signal::kLogs, 3};
  rig->job.done_rows[1] = {Signal::kLogs, 77};
  rig->job.done_row_count = 2;
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_EQ(rig->job.totals[1].batches, 3u);
  // One that the same transaction finishes with the line counts once.
  rig->Begin();
  rig->loop.accounts[1].delivered += MakeBatch(Signal::kLogs, 1, kBytes).header.items;
  rig->loop.held[1] -= MakeBatch(Signal::kLogs, 1, kBytes).header.items;
  rig->loop.done[1] = rig->job.done_through[1] = 2;
  Done(Signal::kLogs, 2);
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_EQ(rig->job.totals[1].batches, 1u);
  rig->NewProcess();
  SpoolOpened opened;
  ASSERT_TRUE(rig->Open(opened).ok());
  EXPECT_EQ(opened.totals[1].batches, 1u);
}

TEST_F(SpoolRows, AreReadPastWhereTheLoopHasThem) {
  AddFive();
  EXPECT_EQ(ReadRows(Signal::kLogs, {1, 4}), (std::vector<SpoolRow>{2, 3, 5}));
  // Damaged bytes of one of them are nobody's business.
  EXPECT_EQ(ReadRows(Signal::kLogs, {1, 2, 3, 4, 5}), std::vector<SpoolRow>{});
  EXPECT_EQ(rig->job.lost[1][static_cast<size_t>(DropReason::kDamaged)].items, 0u);
}

TEST_F(SpoolRows, OneAloneIsBuriedWithoutTheOnesBeforeIt) {
  AddFive();
  rig->Begin();
  rig->Bury(Signal::kLogs, 4);
  rig->job.buries[0].alone = true;
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_EQ(rig->job.buried_items[1], 1u + 4 % 7);
  EXPECT_EQ(rig->job.buried_rows_items[1], 1u + 4 % 7);
  EXPECT_EQ(rig->job.totals[1].batches, 4u);
  EXPECT_EQ(ReadRows(Signal::kLogs), (std::vector<SpoolRow>{1, 2, 3, 5}));
}

TEST_F(SpoolRows, WhatIsKeptIsNotDroppedForRoom) {
  Open({.max_bytes = 256 * kKiB, .max_age = Seconds(1000)});
  rig->loop.keep = {};
  SpoolRow first_live = 0;
  for (int job = 0; job < 60; ++job) {
    rig->Begin();
    rig->job.keep_from[1] = first_live;
    for (int n = 0; n < 4; ++n) {
      const SpoolRow row = rig->Add(Signal::kLogs, kBytes);
      if (job == 5 && n == 0) first_live = row;
    }
    ASSERT_TRUE(rig->Run().ok());
  }
  EXPECT_TRUE(rig->job.full);
  EXPECT_EQ(ReadRows(Signal::kLogs).front(), first_live);
  // Nor is it too old.
  rig->loop.mono = rig->loop.mono + Seconds(5000);
  rig->Begin();
  rig->job.keep_from[1] = first_live;
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_EQ(ReadRows(Signal::kLogs).front(), first_live);
  rig->Begin();
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_GT(rig->job.lost[1][static_cast<size_t>(DropReason::kMaxAge)].items, 0u);
}

TEST_F(SpoolRows, ALetterOfTheSamePartIsReplaced) {
  // What MakeBatch makes is a part, so that each is another batch's.
  rig->Begin();
  const SpoolRow first = rig->BuryNew(Signal::kLogs, 1000);
  const SpoolRow other = rig->BuryNew(Signal::kLogs, 1000);
  ASSERT_TRUE(rig->Run().ok());
  rig->Begin();
  rig->BuryNew(Signal::kLogs, 1000);
  const BatchHeader same = MakeBatch(Signal::kLogs, first, 1000).header;
  SpoolBury& bury = rig->job.buries[0];
  bury.header.sequence = same.sequence;
  ASSERT_TRUE(rig->Run().ok());
  EXPECT_EQ(rig->job.purged_items[1], same.items);
  const std::string dump = Dump(flash.files);
  EXPECT_NE(dump.find("dead " + std::to_string(other) + "/" + std::to_string(other) + " " +
                      std::to_string(other + 1) + "/" + std::to_string(first)),
            std::string::npos)
      << dump;
}

TEST_F(SpoolRows, EveryAttemptComesBack) {
  AddFive();
  rig->Begin();
  rig->job.tried[1][0] = {.row = 1, .attempts = 2, .first_attempt = 5};
  rig->job.tried[1][3] = {.row = 4, .open = 1, .destination = ShortText<32>("fallback")};
  ASSERT_TRUE(rig->Run().ok());
  rig->Begin();  // What names no row stays.
  ASSERT_TRUE(rig->Run().ok());
  rig->NewProcess();
  SpoolOpened opened;
  ASSERT_TRUE(rig->Open(opened).ok());
  EXPECT_EQ(opened.tried[1][0].row, 1u);
  EXPECT_EQ(opened.tried[1][0].open, 0u);
  EXPECT_EQ(opened.tried[1][3].row, 4u);
  EXPECT_EQ(opened.tried[1][3].open, 1u);
  EXPECT_EQ(opened.tried[1][3].destination.text(), "fallback");
  (void)ReadRows(Signal::kLogs);
  EXPECT_EQ(rig->job.reads[0].header.attempts, 2u);
  EXPECT_FALSE(rig->job.reads[1].header.may_be_sent);
  EXPECT_TRUE(rig->job.reads[3].header.may_be_sent);
  // Another name for the destination is damage as any other.
  rig.reset();
  Database db;
  ASSERT_TRUE(db.Open("spool.db", flash.vfs(), Database::Mode::kCreate).ok());
  ASSERT_TRUE(db.Execute("PRAGMA locking_mode=EXCLUSIVE;"
                         "UPDATE state SET value='primary' WHERE name='logs.3.destination'").ok());
  SpoolState state;
  EXPECT_EQ(LoadState(db, state).code, Code::kInvalid);
}

}  // namespace
}  // namespace limpet::sim
