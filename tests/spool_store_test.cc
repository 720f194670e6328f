// The store, job by job: what each leaves on the flash, what it says of that, and what it makes of a
// file that is not what it left.
#include "spool/store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "spool_fixture.h"

namespace limpet::sim {
namespace {

constexpr size_t kSmall = 1331;

SpoolOpened MustOpen(SpoolRig& rig) {
  SpoolOpened opened;
  const Status status = rig.Open(opened);
  EXPECT_TRUE(status.ok()) << status.where << ' ' << status.detail;
  return opened;
}

// Basics

TEST(SpoolStore, KeepsWhatItIsGiven) {
  for (const Sync sync : {Sync::kFull, Sync::kNormal}) {
    SCOPED_TRACE(sync == Sync::kFull ? "full" : "normal");
    SimFlash flash;
    SpoolRig rig(flash, {.sync = sync});
    const SpoolOpened fresh = MustOpen(rig);
    EXPECT_TRUE(fresh.fresh);
    EXPECT_FALSE(fresh.clean);
    EXPECT_EQ(fresh.next_row, 1u);

    rig.Begin();
    for (const size_t bytes : {size_t{1}, size_t{100}, size_t{980}, kSmall, size_t{20000}, 64 * kKiB}) {
      for (const Signal signal : kSignals) rig.Add(signal, bytes);
    }
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_EQ(rig.job.totals[0].batches, 6u);
    EXPECT_EQ(rig.job.totals[1].bytes, 1 + 100 + 980 + kSmall + 20000 + 64 * kKiB);
    EXPECT_EQ(rig.job.next_row, 19u);
    EXPECT_EQ(rig.job.bytes, rig.file_bytes());
    EXPECT_FALSE(rig.job.full);

    rig.NewProcess();
    const SpoolOpened again = MustOpen(rig);
    EXPECT_FALSE(again.fresh);
    EXPECT_FALSE(again.clean);
    EXPECT_EQ(again.next_row, 19u);
    EXPECT_EQ(again.totals[2].items, rig.job.totals[2].items);
    EXPECT_EQ(again.instance.text(), "0123456789abcdef");
    EXPECT_EQ(again.account.destination_count, 1u);
    EXPECT_EQ(again.account.destinations[0].name.text(), "primary");
    EXPECT_EQ(again.last_commit, rig.job.wall);
    EXPECT_EQ(rig.Drain(), 18u);
  }
}

TEST(SpoolStore, ReadsAsMuchAsTheBufferHolds) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  for (int i = 0; i < 40; ++i) rig.Add(Signal::kLogs, 1000);
  for (int i = 0; i < 2; ++i) rig.Add(Signal::kLogs, 60 * kKiB);
  ASSERT_TRUE(rig.Run().ok());
  ASSERT_TRUE(rig.Read(Signal::kLogs).ok());
  EXPECT_EQ(rig.job.read_count, kSpoolReadsMax);
  ASSERT_TRUE(rig.Read(Signal::kLogs, 32).ok());
  EXPECT_EQ(rig.job.read_count, 9u);  // 8 KB, and one large one.
  ASSERT_TRUE(rig.Read(Signal::kLogs, 41).ok());
  EXPECT_EQ(rig.job.read_count, 1u);
  ASSERT_TRUE(rig.Read(Signal::kLogs, 42).ok());
  EXPECT_EQ(rig.job.read_count, 0u);
  ASSERT_TRUE(rig.Read(Signal::kMetrics).ok());
  EXPECT_EQ(rig.job.read_count, 0u);
}

TEST(SpoolStore, WhatIsDoneDoesNotComeBack) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  for (int i = 0; i < 10; ++i) rig.Add(i % 2 == 0 ? Signal::kMetrics : Signal::kTraces, kSmall);
  ASSERT_TRUE(rig.Run().ok());
  ASSERT_TRUE(rig.Read(Signal::kMetrics).ok());
  rig.Settle(3);  // Rows 1, 3, 5.
  rig.Begin();
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.totals[0].batches, 2u);
  EXPECT_EQ(rig.job.totals[0].bytes, 2 * kSmall);
  rig.NewProcess();
  EXPECT_EQ(MustOpen(rig).done_through[0], 5u);
  ASSERT_TRUE(rig.Read(Signal::kMetrics).ok());
  ASSERT_EQ(rig.job.read_count, 2u);
  EXPECT_EQ(rig.job.reads[0].row, 7u);
  EXPECT_EQ(rig.Drain(), 7u);
}

TEST(SpoolStore, ARepeatedJobAddsNothing) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  rig.Add(Signal::kMetrics, kSmall);
  rig.Add(Signal::kLogs, kSmall);
  rig.BuryNew(Signal::kMetrics, kSmall);
  const std::map<std::string, std::string> before = flash.files;
  ASSERT_TRUE(rig.Run().ok());
  const std::string first = Dump(flash.files);
  rig.job.added = {};
  rig.job.buried_items = {};
  rig.store->Run();  // As if it had seemed to fail.
  ASSERT_TRUE(rig.job.status.ok());
  EXPECT_TRUE(rig.job.added[0] && rig.job.added[1]);
  EXPECT_EQ(rig.job.buried_items[0], rig.job.buries[0].header.items);
  EXPECT_EQ(Dump(flash.files), first);
}

TEST(SpoolStore, KeepsAttemptsBootsCheckpointsAndTheCleanMark) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  const SpoolRow row = rig.Add(Signal::kMetrics, kSmall);
  const std::vector<uint8_t> offset = {1, 2, 3};
  const SpoolCheckpoint checkpoints[] = {{"file:/var/log/a", offset}, {"journal", offset}};
  rig.job.checkpoints = checkpoints;
  ASSERT_TRUE(rig.Run().ok());

  rig.Begin();
  rig.job.head_row[0] = row;
  rig.job.head[0].attempts = 3;
  rig.job.head[0].first_attempt = SimClock::kStart;
  rig.job.head[0].may_be_sent = true;
  rig.job.last = true;
  ASSERT_TRUE(rig.Run().ok());
  const std::string dump = Dump(flash.files);
  EXPECT_NE(dump.find("file:/var/log/a=010203|journal=010203|"), std::string::npos) << dump;
  EXPECT_NE(dump.find("1,09090900"), std::string::npos) << dump;

  rig.NewProcess();
  EXPECT_TRUE(MustOpen(rig).clean);
  rig.Begin(false);
  ASSERT_TRUE(rig.Read(Signal::kMetrics).ok());
  EXPECT_EQ(rig.job.reads[0].header.attempts, 3u);
  EXPECT_EQ(rig.job.reads[0].header.first_attempt, SimClock::kStart);
  EXPECT_TRUE(rig.job.reads[0].header.may_be_sent);
  rig.Begin();
  rig.job.boot.bytes[0] = 7;
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_NE(Dump(flash.files).find("2,07090900"), std::string::npos);
  rig.NewProcess();
  EXPECT_FALSE(MustOpen(rig).clean);
}

TEST(SpoolStore, KeepsTheLastBootsOnly) {
  SimFlash flash;
  SpoolRig rig(flash);
  for (int boot = 0; boot < 270; ++boot) {
    rig.NewProcess();
    MustOpen(rig);
    rig.Begin();
    rig.job.boot.bytes[1] = static_cast<uint8_t>(boot);
    rig.job.boot.bytes[2] = static_cast<uint8_t>(boot >> 8);
    ASSERT_TRUE(rig.Run().ok());
  }
  const std::string dump = Dump(flash.files);
  EXPECT_EQ(dump.find("|14,"), std::string::npos);
  EXPECT_NE(dump.find("\n15,"), std::string::npos);
  EXPECT_NE(dump.find("|270,"), std::string::npos);
}

TEST(SpoolStore, ReadsItsOwnFile) {
  for (const Sync sync : {Sync::kFull, Sync::kNormal}) {
    SimFlash flash;
    SpoolRig rig(flash, {.sync = sync});
    MustOpen(rig);
    rig.Begin();
    rig.Add(Signal::kMetrics, 5000);
    ASSERT_TRUE(rig.Run().ok());
    std::string copy;
    std::vector<uint8_t> piece(1000);
    do {
      rig.Begin(false);
      rig.job.file_offset = copy.size();
      rig.job.file_into = piece;
      ASSERT_TRUE(rig.Run().ok());
      copy.append(piece.begin(), piece.begin() + static_cast<ptrdiff_t>(rig.job.file_got));
    } while (rig.job.file_got > 0);
    EXPECT_EQ(copy.size(), rig.job.file_size);
    EXPECT_EQ(copy, flash.files["spool.db"]);
  }
}

}  // namespace
}  // namespace limpet::sim
