// The store, job by job: what each leaves on the flash, what it says of that, and what it makes of a
// file that is not what it left.
#include "spool/store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "sim/spool_load.h"
#include "spool_fixture.h"

namespace limpet::sim {
namespace {

constexpr size_t kSmall = 1331;

uint64_t DroppedItems(const SpoolRig& rig, Signal signal,
                      DropReason reason = DropReason::kOverflow) {
  return rig.loop.accounts[Index(signal)].dropped[static_cast<size_t>(reason)];
}

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
    EXPECT_EQ(again.account.section_count, 2u);
    for (size_t i = 0; i < rig.job.account.section_count; ++i) {
      const KeptAccount::Section& section = rig.job.account.sections[i];
      const KeptAccount::Section* const kept = again.account.Find(section.name.text());
      ASSERT_NE(kept, nullptr) << section.name.text();
      EXPECT_EQ(kept->counts, section.counts);
    }
    EXPECT_EQ(again.last_commit, rig.job.wall);
    EXPECT_EQ(rig.Drain(), 18u);
  }
}

TEST(SpoolStore, IsFreshUntilAJobCommits) {
  SimFlash flash;
  SpoolRig rig(flash);
  for (int n = 0; n < 2; ++n) {
    EXPECT_TRUE(MustOpen(rig).fresh);
    rig.Begin(false);
    ASSERT_TRUE(rig.Run().ok());
    rig.NewProcess();
  }
  EXPECT_TRUE(MustOpen(rig).fresh);
  rig.Begin();
  ASSERT_TRUE(rig.Run().ok());
  rig.NewProcess();
  EXPECT_FALSE(MustOpen(rig).fresh);
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

TEST(SpoolStore, ABatchTooLargeForThisConfigurationIsNotGivenUp) {
  SimFlash flash;
  SpoolRig large(flash);
  MustOpen(large);
  large.Begin();
  large.Add(Signal::kMetrics, 40 * kKiB);
  ASSERT_TRUE(large.Run().ok());
  large.store.reset();

  SpoolRig small(flash, {.batch_bytes = 8 * kKiB});
  MustOpen(small);
  small.Begin(false);
  const Status read = small.Read(Signal::kMetrics);
  EXPECT_EQ(read.code, Code::kUnsupported);
  EXPECT_NE(std::string(read.where).find("queue.batch_bytes"), std::string::npos);
  small.store.reset();

  SpoolRig again(flash);
  again.loop.sizes = large.loop.sizes;
  MustOpen(again);
  again.Begin(false);
  ASSERT_TRUE(again.Read(Signal::kMetrics).ok());
  EXPECT_EQ(again.job.read_count, 1u);
}

TEST(SpoolStore, KeepsAttemptsBootsTracksAndTheCleanMark) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  const SpoolRow row = rig.Add(Signal::kMetrics, kSmall);
  const std::vector<uint8_t> offset = {1, 2, 3};
  const TrackChange tracks[] = {{.id = 1, .identity = offset}, {.id = 4, .position = 9, .identity = offset}};
  rig.Note(tracks);
  ASSERT_TRUE(rig.Run().ok());

  rig.Begin();
  rig.job.tried[0][0] = {.row = row,
                         .attempts = 3,
                         .first_attempt = static_cast<uint64_t>(SimClock::kStart.ns)};
  rig.job.last = true;
  ASSERT_TRUE(rig.Run().ok());
  const std::string dump = Dump(flash.files);
  EXPECT_NE(dump.find("1=0 010203|4=9 010203|"), std::string::npos) << dump;
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

TEST(SpoolStore, TakesOverASpoolOfTheFirstSchema) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  rig.Add(Signal::kLogs, 300);
  ASSERT_TRUE(rig.Run().ok());
  rig.store.reset();
  {
    Database db;
    ASSERT_TRUE(db.Open("spool.db", flash.vfs(), Database::Mode::kCreate).ok());
    ASSERT_TRUE(db.Execute("DROP TABLE track;"
                           "CREATE TABLE checkpoint(source TEXT PRIMARY KEY,value BLOB NOT NULL) WITHOUT ROWID;"
                           "INSERT INTO checkpoint VALUES('file:/var/log/a',x'01');PRAGMA user_version=1")
                    .ok());
  }
  rig.NewProcess();
  const SpoolOpened opened = MustOpen(rig);
  EXPECT_FALSE(opened.salvaged);
  EXPECT_FALSE(opened.newer_set_aside);
  rig.Begin();
  const uint8_t identity[] = {7};
  const TrackChange tracks[] = {{.id = 3, .position = 5, .identity = identity}};
  rig.Note(tracks);
  rig.Add(Signal::kLogs, 300);
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_NE(Dump(flash.files).find("3=5 07|"), std::string::npos) << Dump(flash.files);
  EXPECT_EQ(rig.Drain(), 2u);
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

// Room

enum class Load { kSmallOnes, kLargeOnes, kMixed, kLetters };

/// Random jobs of a kind, each within what the loop gives to one job.
void Fill(SpoolRig& rig, Load load, std::mt19937_64& random) {
  rig.Begin();
  const uint64_t most = SpoolStore::AddBytesMax(rig.options.max_bytes);
  uint64_t bytes = 0;
  while (rig.job.add_count < kSpoolAddsMax) {
    size_t size = kSmall;
    if (load == Load::kLargeOnes || (load == Load::kMixed && random() % 4 == 0)) size = 64 * kKiB;
    if (load == Load::kMixed && random() % 3 == 0) size = 1 + random() % 5000;
    bytes += size;
    if (rig.job.add_count > 0 && bytes > most) break;
    rig.Add(kSignals[random() % 3], size);
  }
  if (load == Load::kLetters) {
    for (int i = 0; i < 8; ++i) rig.BuryNew(kSignals[random() % 3], 1 + random() % (32 * kKiB));
  }
}

TEST(SpoolStoreRoom, AllFilesStayWithinMaxSizeAtEveryMoment) {
  struct Case {
    const char* name;
    uint64_t max_bytes;
    Load load;
    Overflow overflow;
    Sync sync = Sync::kFull;
    uint64_t dead_max_bytes = 200 * kKiB;
  };
  constexpr Case kCases[] = {
      {"small", kMiB, Load::kSmallOnes, Overflow::kDropOldest},
      {"small, more room", 4 * kMiB, Load::kSmallOnes, Overflow::kDropOldest},
      {"large", kMiB, Load::kLargeOnes, Overflow::kDropOldest},
      {"large, more room", 8 * kMiB, Load::kLargeOnes, Overflow::kDropOldest},
      {"mixed", kMiB, Load::kMixed, Overflow::kDropOldest},
      {"mixed, newest", 2 * kMiB, Load::kMixed, Overflow::kDropNewest},
      {"mixed, pause", 2 * kMiB, Load::kMixed, Overflow::kPauseSources},
      {"letters", 2 * kMiB, Load::kLetters, Overflow::kDropOldest},
      {"letters, as much as there is", 2 * kMiB, Load::kLetters, Overflow::kDropOldest, Sync::kFull,
       2 * kMiB - 1},
      {"letters, pause", kMiB, Load::kLetters, Overflow::kPauseSources},
      {"WAL, small", kMiB, Load::kSmallOnes, Overflow::kDropOldest, Sync::kNormal},
      {"WAL, mixed", 2 * kMiB, Load::kMixed, Overflow::kDropOldest, Sync::kNormal},
      {"WAL, large", 8 * kMiB, Load::kLargeOnes, Overflow::kDropOldest, Sync::kNormal},
      {"WAL, letters", 2 * kMiB, Load::kLetters, Overflow::kDropOldest, Sync::kNormal},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    SimFlash flash;
    flash.capacity = c.max_bytes;  // More, even for a moment, and the job fails.
    SpoolRig rig(flash, {.max_bytes = c.max_bytes,
                         .overflow = c.overflow,
                         .dead_max_bytes = c.dead_max_bytes,
                         .sync = c.sync});
    MustOpen(rig);
    std::mt19937_64 random(1);
    uint64_t most = 0;
    for (int n = 0; n < (kSlow ? 50 : 150); ++n) {
      SCOPED_TRACE(n);
      Fill(rig, c.load, random);
      Status status = rig.Run();
      ASSERT_TRUE(status.ok()) << status.where << ' ' << status.detail;
      most = std::max(most, rig.file_bytes());
      if (n % 10 != 9) continue;
      // Some of it leaves.
      ASSERT_TRUE(rig.Read(kSignals[random() % 3]).ok());
      rig.Settle(1 + random() % 20);
      rig.Begin();
      if (n % 20 == 19) rig.job.dead_action = n % 40 == 39 ? DeadAction::kPurge : DeadAction::kRetry;
      status = rig.Run();
      ASSERT_TRUE(status.ok()) << status.where << ' ' << status.detail;
    }
    if (!kSlow) { EXPECT_GT(most, c.max_bytes / 5 * 2); }
    rig.Drain();
    rig.Begin().shrink = true;
    ASSERT_TRUE(rig.Run().ok());
  }
}

TEST(SpoolStoreRoom, FreeSpaceAndInodesAreLeftToOthers) {
  SimFlash flash;
  flash.capacity = 4 * kMiB;
  SpoolRig rig(flash, {.min_free_bytes = kMiB});
  rig.storage.free_inodes = 9;  // Of 1000.
  SpoolOpened opened;
  EXPECT_EQ(rig.store->Open(opened).code, Code::kFull);
  EXPECT_TRUE(flash.files.empty());
  rig.storage.free_inodes = 10;
  ASSERT_TRUE(rig.store->Open(opened).ok());
  rig.store->Close();
  rig.storage.free_inodes = 0;  // One that is there may be used.
  MustOpen(rig);
  std::mt19937_64 random(1);
  uint64_t most = 0;
  for (int n = 0; n < 60; ++n) {
    Fill(rig, Load::kMixed, random);
    ASSERT_TRUE(rig.Run().ok());
    most = std::max(most, flash.used_bytes());
  }
  EXPECT_TRUE(rig.job.full);
  EXPECT_LE(most, 3 * kMiB);
  EXPECT_GT(most, 3 * kMiB / 2);
  // Somebody else fills the filesystem: the spool lives on in the room that it has.
  flash.files["other"] = std::string(static_cast<size_t>(4 * kMiB - flash.used_bytes() - 300 * kKiB), 'x');
  const uint64_t before = rig.file_bytes();
  for (int n = 0; n < 30; ++n) {
    Fill(rig, Load::kSmallOnes, random);
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_TRUE(rig.job.added[0]);
  }
  EXPECT_LE(rig.file_bytes(), before + 256 * kKiB);  // The journal, for a moment.
}

/// A filesystem that others have filled: what comes stays in memory, under every policy.
TEST(SpoolStoreRoom, WithoutRoomFromTheStartNothingIsDropped) {
  for (const Overflow overflow :
       {Overflow::kDropOldest, Overflow::kDropNewest, Overflow::kPauseSources}) {
    SCOPED_TRACE(static_cast<int>(overflow));
    SimFlash flash;
    flash.capacity = 4 * kMiB;
    SpoolRig rig(flash, {.min_free_bytes = kMiB, .overflow = overflow});
    flash.files["other"] = std::string(3 * kMiB - 50 * kKiB, 'x');
    MustOpen(rig);
    for (int n = 0; n < 3; ++n) {
      rig.Begin().open = true;
      rig.Add(Signal::kLogs, kSmall);
      rig.Add(Signal::kMetrics, 20'000);
      const Status status = rig.Run();
      EXPECT_EQ(status.code, Code::kFull);
      EXPECT_EQ(std::string(status.where), "min_free leaves no room for the spool");
    }
    // Without anything to add, the rest of a job is done.
    rig.Begin().open = true;
    ASSERT_TRUE(rig.Run().ok());
    flash.files.erase("other");
    rig.Begin().open = true;
    rig.Add(Signal::kLogs, kSmall);
    rig.Add(Signal::kMetrics, 20'000);
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_TRUE(rig.job.added[0] && rig.job.added[1]);
    EXPECT_EQ(rig.Drain(), 2u);
    for (const Signal signal : kSignals) EXPECT_EQ(DroppedItems(rig, signal), 0u);
  }
}

TEST(SpoolStoreRoom, WhereThereIsRoomForOneOneIsKept) {
  SimFlash flash;
  flash.capacity = 4 * kMiB;
  SpoolRig rig(flash, {.max_bytes = kMiB, .min_free_bytes = kMiB, .batch_bytes = 8 * kKiB});
  MustOpen(rig);
  // What the journal may take, what batches leave free, and not twice a batch.
  flash.files["other"] = std::string(
      static_cast<size_t>(3 * kMiB - flash.used_bytes() - (256 + 75 + 15) * kKiB), 'x');
  for (int n = 0; n < 10; ++n) {
    rig.Begin();
    rig.Add(Signal::kLogs, 8000);
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_TRUE(rig.job.added[0]);
    EXPECT_EQ(rig.job.totals[1].batches, 1u);
  }
  EXPECT_TRUE(rig.job.full);
  EXPECT_EQ(rig.Drain(), 1u);
}

TEST(SpoolStoreRoom, ALowerMaxSizeHoldsForAnOlderFile) {
  SimFlash flash;
  std::mt19937_64 random(1);
  {
    SpoolRig rig(flash, {.max_bytes = 8 * kMiB});
    MustOpen(rig);
    for (int n = 0; n < 80; ++n) {
      Fill(rig, Load::kMixed, random);
      ASSERT_TRUE(rig.Run().ok());
    }
    EXPECT_GT(rig.file_bytes(), 4 * kMiB);
  }
  SpoolRig rig(flash, {.max_bytes = 2 * kMiB});
  rig.loop.next_row = 100'000;
  MustOpen(rig);
  for (int n = 0; n < 60; ++n) {
    Fill(rig, Load::kSmallOnes, random);
    ASSERT_TRUE(rig.Run().ok());
  }
  EXPECT_LE(rig.file_bytes(), 2 * kMiB);
}

/// A storm of logs beside a few metrics, each job as large as a job may be.
TEST(SpoolStoreRoom, WhoHasItsShareKeepsIt) {
  struct Case {
    const char* name;
    Overflow overflow;
    bool old_logs, new_logs;  ///< Still there in the end.
  };
  constexpr Case kCases[] = {
      {"oldest", Overflow::kDropOldest, false, true},
      {"newest", Overflow::kDropNewest, true, false},
      {"pause", Overflow::kPauseSources, true, false},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    SimFlash flash;
    SpoolRig rig(flash, {.max_bytes = 2 * kMiB, .overflow = c.overflow, .batch_bytes = 8 * kKiB});
    MustOpen(rig);
    uint64_t metrics = 0, kept_out = 0;
    SpoolRow last = 0;
    for (int n = 0; n < 110; ++n) {
      rig.Begin();
      rig.Add(Signal::kMetrics, 2000);
      for (int i = 0; i < 5; ++i) last = rig.Add(Signal::kLogs, 5000);
      ASSERT_TRUE(rig.Run().ok());
      EXPECT_TRUE(rig.job.added[0]) << n;
      metrics += rig.job.added[0] ? 1 : 0;
      for (int i = 1; i < 6; ++i) kept_out += rig.job.added[i] ? 0 : 1;
    }
    EXPECT_TRUE(rig.job.full);
    EXPECT_EQ(rig.job.totals[0].batches, metrics);  // 110 times 3 pages: about a quarter.
    EXPECT_EQ(DroppedItems(rig, Signal::kMetrics), 0u);
    EXPECT_EQ(DroppedItems(rig, Signal::kLogs) > 0, c.overflow != Overflow::kPauseSources);
    EXPECT_EQ(kept_out > 0, c.overflow != Overflow::kDropOldest);
    ASSERT_TRUE(rig.Read(Signal::kLogs).ok());
    EXPECT_EQ(rig.job.reads[0].row == 2, c.old_logs);
    ASSERT_TRUE(rig.Read(Signal::kLogs, last - 1).ok());
    EXPECT_EQ(rig.job.read_count == 1, c.new_logs);
    // Nobody else is there: metrics may have more than their share, at the logs' cost or not.
    rig.Drain();
    for (int n = 0; n < 200; ++n) {
      rig.Begin();
      for (int i = 0; i < 4; ++i) rig.Add(Signal::kMetrics, 5000);
      ASSERT_TRUE(rig.Run().ok());
    }
    const uint64_t share = 1461 * kKiB / 4, all = rig.job.totals[0].bytes;
    EXPECT_GT(all, share);
    EXPECT_EQ(all > 2 * share, c.overflow != Overflow::kPauseSources);  // The others' is free.
    rig.Begin();
    rig.Add(Signal::kTraces, 5000);
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_TRUE(rig.job.added[0]);
  }
}

TEST(SpoolStoreRoom, WhatIsOnItsWayIsNotDropped) {
  SimFlash flash;
  SpoolRig rig(flash, {.max_bytes = kMiB, .batch_bytes = 8 * kKiB});
  MustOpen(rig);
  rig.Begin();
  const SpoolRow first = rig.Add(Signal::kLogs, 5000);
  const SpoolRow second = rig.Add(Signal::kLogs, 5000);
  ASSERT_TRUE(rig.Run().ok());
  rig.loop.keep[1] = second;
  for (int n = 0; n < 100; ++n) {
    rig.Begin();
    for (int i = 0; i < 5; ++i) rig.Add(Signal::kLogs, 5000);
    ASSERT_TRUE(rig.Run().ok());
  }
  ASSERT_TRUE(rig.Read(Signal::kLogs).ok());
  EXPECT_EQ(rig.job.reads[0].row, first);
  EXPECT_EQ(rig.job.reads[1].row, second);
  EXPECT_GT(rig.job.reads[2].row, second + 1);
}

/// Room that only what is on its way could give: what comes waits in memory for it.
TEST(SpoolStoreRoom, WhatIsKeptOutByWhatIsOnItsWayIsNotDropped) {
  for (const Overflow overflow : {Overflow::kDropOldest, Overflow::kDropNewest}) {
    const bool newest = overflow == Overflow::kDropNewest;
    SimFlash flash;
    SpoolRig rig(flash, {.max_bytes = kMiB, .overflow = overflow, .batch_bytes = 8 * kKiB});
    MustOpen(rig);
    uint64_t waiting = 0, refused = 0, there = 0;
    for (int n = 0; n < 60; ++n) {
      rig.loop.keep[1] = rig.loop.next_row - 1;  // All that is there.
      rig.Begin();
      for (int i = 0; i < 5; ++i) rig.Add(Signal::kLogs, 5000);
      ASSERT_TRUE(rig.Run().ok());
      for (int i = 0; i < 5; ++i) {
        there += rig.job.added[i];
        refused += rig.job.refused[i];
        waiting += !rig.job.added[i] && !rig.job.refused[i];
      }
    }
    EXPECT_TRUE(rig.job.full);
    EXPECT_EQ(waiting > 0, !newest);
    EXPECT_EQ(refused > 0, newest);
    EXPECT_EQ(DroppedItems(rig, Signal::kLogs) > 0, newest);
    EXPECT_EQ(rig.job.totals[1].batches, there);
  }
}

TEST(SpoolStoreRoom, BehindABatchThatWaitsAllOfItsSignalWait) {
  SimFlash flash;
  SpoolRig rig(flash, {.max_bytes = kMiB, .overflow = Overflow::kPauseSources});
  MustOpen(rig);
  bool waits = false;
  for (int n = 0; n < 40 && !waits; ++n) {
    rig.Begin();
    rig.Add(Signal::kLogs, 40 * kKiB);
    rig.Add(Signal::kLogs, 10);
    ASSERT_TRUE(rig.Run().ok());
    waits = !rig.job.added[0];
    if (waits) { EXPECT_FALSE(rig.job.added[1]); }
  }
  EXPECT_TRUE(waits);
}

TEST(SpoolStoreRoom, MaxAge) {
  SimFlash flash;
  SpoolRig rig(flash, {.max_age = Seconds(60)});
  MustOpen(rig);
  rig.Begin();
  for (int i = 0; i < 40; ++i) rig.Add(Signal::kLogs, 100);
  rig.Add(Signal::kMetrics, 100);
  ASSERT_TRUE(rig.Run().ok());
  rig.loop.mono.ns = Seconds(100 + 59).ns;
  rig.Begin();
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.totals[1].batches, 40u);
  rig.loop.mono.ns = Seconds(100 + 62).ns;
  rig.loop.keep[0] = 41;
  rig.Begin();
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.totals[1].batches, 8u);  // A bounded number with each transaction.
  EXPECT_EQ(rig.job.totals[0].batches, 1u);  // S6
  const SpoolJob::Lost& lost = rig.job.lost[1][static_cast<size_t>(DropReason::kMaxAge)];
  EXPECT_EQ(lost.batches, 32u);
  EXPECT_EQ(lost.first, UnixTime{SimClock::kStart.ns + 1000});
  EXPECT_EQ(lost.last, UnixTime{SimClock::kStart.ns + 32500});
  rig.Begin();
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.totals[1].batches, 0u);
}

// Letters

TEST(SpoolStoreLetters, AreKeptRetriedAndPurged) {
  SimFlash flash;
  SpoolRig rig(flash, {.dead_max_bytes = 10'000});
  MustOpen(rig);
  rig.Begin();
  const SpoolRow a = rig.Add(Signal::kMetrics, 1000);
  rig.Add(Signal::kMetrics, 2000);
  ASSERT_TRUE(rig.Run().ok());
  rig.Begin();
  rig.Bury(Signal::kMetrics, a);
  const SpoolRow b = rig.BuryNew(Signal::kLogs, 3000);
  const SpoolRow c = rig.BuryNew(Signal::kTraces, 4000);
  rig.loop.done[0] = a;
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.buried_items[0], 1u + a % 7);
  EXPECT_EQ(rig.job.buried_rows_items[0], 1u + a % 7);
  EXPECT_EQ(rig.job.buried_items[1], 1u + b % 7);
  EXPECT_EQ(rig.job.totals[0].batches, 1u);
  rig.NewProcess();
  EXPECT_EQ(MustOpen(rig).account.accounts[2].dead, 1u + c % 7);

  // The fourth is too much: the oldest goes.
  rig.Begin();
  rig.BuryNew(Signal::kLogs, 2500);
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.dead_overflow_items[0], 1u + a % 7);
  // One is larger than all of them may be: it has no place.
  rig.Begin();
  const SpoolRow huge = rig.BuryNew(Signal::kLogs, 10'001);
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.dead_overflow_items[1], 1u + huge % 7);

  rig.Begin();
  rig.job.dead_action = DeadAction::kRetry;
  rig.job.dead_rows[0] = b;
  rig.job.dead_rows[1] = 999;  // None of that number.
  rig.job.dead_row_count = 2;
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.dead_changed, 1u);
  EXPECT_EQ(rig.job.retried_items[1], 1u + b % 7);
  EXPECT_EQ(rig.job.totals[1].batches, 1u);
  ASSERT_TRUE(rig.Read(Signal::kLogs).ok());
  ASSERT_EQ(rig.job.read_count, 1u);
  EXPECT_EQ(rig.job.reads[0].header.sequence, b);
  EXPECT_GT(rig.job.reads[0].row, huge);

  rig.Begin();
  rig.job.dead_action = DeadAction::kPurge;
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.dead_changed, 2u);
  EXPECT_EQ(rig.job.dead_items, (std::array<uint64_t, kSignalCount>{}));
  EXPECT_EQ(rig.Drain(), 2u);
}

TEST(SpoolStoreLetters, AsManyAtOnceAsATransactionMayMove) {
  SimFlash flash;
  SpoolRig rig(flash, {.max_bytes = 2 * kMiB, .dead_max_bytes = kMiB});
  MustOpen(rig);
  for (int n = 0; n < 5; ++n) {
    rig.Begin();
    for (int i = 0; i < 8; ++i) rig.BuryNew(Signal::kLogs, 20'000);
    ASSERT_TRUE(rig.Run().ok());
  }
  uint64_t moved = 0;
  int jobs = 0;
  for (; moved < 40 && jobs < 40; ++jobs) {
    rig.Begin().dead_action = DeadAction::kRetry;
    ASSERT_TRUE(rig.Run().ok());
    ASSERT_GT(rig.job.dead_changed, 0u);
    EXPECT_LE(rig.job.dead_changed * 20'000, SpoolStore::AddBytesMax(2 * kMiB));
    moved += rig.job.dead_changed;
  }
  EXPECT_EQ(moved, 40u);
  EXPECT_EQ(rig.Drain(), 40u);
}

// Its size, and what it takes

double Milliseconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since).count();
}

TEST(SpoolStoreSize, OpensAtOnceAndShrinksAfterADrain) {
  for (const size_t size : {64 * kKiB, kSmall}) {
    if (kSlow && size == kSmall) continue;
    SimFlash flash;
    flash.capacity = 64 * kMiB;
    SpoolRig rig(flash);
    MustOpen(rig);
    const uint64_t want = size == kSmall ? 16 * kMiB : 58 * kMiB;
    while (rig.job.totals[0].bytes + rig.job.totals[1].bytes < want) {
      rig.Begin();
      for (size_t bytes = 0; bytes + size <= 256 * kKiB && rig.job.add_count < 64; bytes += size) {
        rig.Add(rig.job.add_count % 4 == 0 ? Signal::kMetrics : Signal::kLogs, size);
      }
      ASSERT_TRUE(rig.Run().ok());
    }
    const double file = static_cast<double>(rig.file_bytes()) / kMiB;
    rig.NewProcess();
    auto begin = std::chrono::steady_clock::now();
    MustOpen(rig);
    const double open_ms = Milliseconds(begin);
    begin = std::chrono::steady_clock::now();
    const size_t batches = rig.Drain();
    const double drain_ms = Milliseconds(begin);
    begin = std::chrono::steady_clock::now();
    rig.Begin().shrink = true;
    ASSERT_TRUE(rig.Run().ok());
    const double shrink_ms = Milliseconds(begin);
    EXPECT_LE(rig.file_bytes(), kMiB);
    EXPECT_LT(open_ms, 1000);
    EXPECT_LT(shrink_ms, 20'000);
    std::printf("%.0f MiB in batches of %zu: opened in %.1f ms, %zu drained and checked in %.0f ms, "
                "shrunk in %.0f ms to %llu KiB\n",
                file, size, open_ms, batches, drain_ms, shrink_ms,
                static_cast<unsigned long long>(rig.file_bytes() / kKiB));
    // All at once, too, after a salvage of as much.
    for (int n = 0; n < 200; ++n) {
      rig.Begin();
      for (int i = 0; i < 4; ++i) rig.Add(Signal::kLogs, 64 * kKiB);
      ASSERT_TRUE(rig.Run().ok());
    }
    flash.capacity = UINT64_MAX;
    rig.store.reset();
    flash.files["spool.db"].resize(flash.files["spool.db"].size() - kMiB);
    rig.NewProcess();
    begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(MustOpen(rig).salvaged);
    EXPECT_GT(rig.loop.held[1], 4 * DroppedItems(rig, Signal::kLogs, DropReason::kDamaged));
    std::printf("salvaged in %.0f ms\n", Milliseconds(begin));
    flash.files.erase("spool.db.damaged-1");
    flash.capacity = 64 * kMiB;
    rig.loop.done[1] = rig.loop.next_row - 1;
    rig.loop.accounts[1].delivered += rig.loop.held[1];
    rig.loop.held[1] = 0;
    begin = std::chrono::steady_clock::now();
    rig.Begin().shrink = true;
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_LE(rig.file_bytes(), kMiB);
    std::printf("50 MiB, removed and shrunk by one job in %.0f ms\n", Milliseconds(begin));
  }
}

// Damage

/// A few batches of each signal, letters and tracks, at rest.
LoopSide MakeSpool(SimFlash& flash, const SpoolOptions& options = {}) {
  SpoolRig rig(flash, options);
  MustOpen(rig);
  static constexpr uint8_t kOffset[] = {1, 2, 3};
  static constexpr TrackChange kTracks[] = {{.id = kMarkedTrack, .identity = kOffset}};
  for (int n = 0; n < 4; ++n) {
    rig.Begin();
    rig.Note(kTracks);
    for (const Signal signal : kSignals) rig.Add(signal, 300);
    rig.Add(Signal::kLogs, 5000);
    rig.Add(Signal::kMetrics, kSmall);
    EXPECT_TRUE(rig.Run().ok());
  }
  EXPECT_TRUE(rig.Read(Signal::kLogs).ok());
  rig.Settle(2);
  rig.Begin();
  rig.BuryNew(Signal::kTraces, 700);
  rig.BuryNew(Signal::kLogs, 900);
  EXPECT_TRUE(rig.Run().ok());
  return rig.loop;
}

/// Takes out all that is there, opening it again where a job fails, as the loop does. What comes must
/// be as it was. Returns the items that came.
uint64_t TakeAll(SpoolRig& rig) {
  uint64_t items = 0;
  int failures = 0;
  for (const Signal signal : kSignals) {
    for (bool more = true; more;) {
      Status status;
      SpoolRow last = 0;
      rig.Begin(false).open = true;
      rig.job.read = true;
      rig.job.read_signal = signal;
      rig.job.read_after = rig.loop.done[Index(signal)];  // As the loop asks.
      status = rig.Run();
      if (status.ok()) {
        rig.CheckReads();
        more = rig.job.read_count > 0;
        for (size_t n = 0; n < rig.job.read_count; ++n) {
          const uint64_t some = rig.job.reads[n].header.items;
          items += some;
          last = rig.job.reads[n].row;
          rig.loop.accounts[Index(signal)].delivered += some;
          EXPECT_GE(rig.loop.held[Index(signal)], some);
          rig.loop.held[Index(signal)] -= some;
        }
      }
      if (status.ok() && last > 0) {
        rig.loop.done[Index(signal)] = last;
        for (int again = 0; again < 3; ++again) {
          rig.Begin().open = true;
          rig.loop.doubtful = true;
          status = rig.Run();
          if (status.ok()) break;
        }
      }
      if (!status.ok() && ++failures > 10) {
        ADD_FAILURE() << status.where << ' ' << status.detail;
        return items;
      }
    }
  }
  return items;
}

uint64_t Held(const LoopSide& loop) { return loop.held[0] + loop.held[1] + loop.held[2]; }

TEST(SpoolStoreDamage, ANewerSpoolIsSetAsideUnread) {
  SimFlash flash;
  for (int number = 1; number <= 3; ++number) {
    MakeSpool(flash);
    {
      Database db;
      ASSERT_TRUE(db.Open("spool.db", flash.vfs(), Database::Mode::kCreate).ok());
      ASSERT_TRUE(db.Execute("PRAGMA user_version=99;CREATE TABLE more(x)").ok());
    }
    const std::string bytes = flash.files["spool.db"];
    SpoolRig rig(flash);
    const SpoolOpened opened = MustOpen(rig);
    EXPECT_TRUE(opened.newer_set_aside);
    EXPECT_TRUE(opened.fresh);
    EXPECT_FALSE(opened.salvaged);
    EXPECT_EQ(flash.files["spool.db.newer-" + std::to_string(number)], bytes);
    rig.store.reset();
    flash.files.erase("spool.db");
  }
}

TEST(SpoolStoreDamage, WhatIsNoSpoolIsSetAsideAsItIs) {
  struct Case {
    const char* name;
    void (*damage)(std::string& file);
  };
  const Case cases[] = {
      {"text", [](std::string& file) { file = "Dear diary,\n"; }},
      {"much of something", [](std::string& file) { file.assign(100'000, 'x'); }},
      {"magic gone", [](std::string& file) { file.replace(0, 16, 16, '\0'); }},
      {"header gone", [](std::string& file) { file.replace(0, 100, 100, '\xff'); }},
      {"first page gone", [](std::string& file) { file.replace(0, 1024, 1024, '\0'); }},
      {"another's id", [](std::string& file) { file[68] = 'x'; }},
      {"half a page", [](std::string& file) { file.resize(500); }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    SimFlash flash;
    MakeSpool(flash);
    std::string& file = flash.files["spool.db"];
    c.damage(file);
    const std::string bytes = file;
    SpoolRig rig(flash);
    const SpoolOpened opened = MustOpen(rig);
    EXPECT_TRUE(opened.fresh);
    EXPECT_TRUE(opened.salvaged);
    EXPECT_TRUE(opened.loss_unknown);
    EXPECT_EQ(opened.salvage_lost, (std::array<uint64_t, kSignalCount>{}));
    EXPECT_EQ(flash.files["spool.db.damaged-1"], bytes);
    EXPECT_FALSE(flash.files.contains("spool.db.salvage"));
    rig.Begin();
    rig.Add(Signal::kLogs, 100);
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_EQ(rig.Drain(), 1u);
  }
  SimFlash flash;
  flash.files["spool.db"] = "";
  SpoolRig rig(flash);
  const SpoolOpened opened = MustOpen(rig);
  EXPECT_TRUE(opened.fresh);
  EXPECT_FALSE(opened.salvaged);  // A file that was only begun.
}

TEST(SpoolStoreDamage, TheLastOneIsKept) {
  SimFlash flash;
  for (const char* text : {"one", "two", "three"}) {
    flash.files["spool.db"] = text;
    SpoolRig rig(flash);
    EXPECT_TRUE(MustOpen(rig).salvaged);
    rig.store.reset();
  }
  EXPECT_EQ(flash.files["spool.db.damaged-1"], "three");
  EXPECT_FALSE(flash.files.contains("spool.db.damaged-2"));
}

TEST(SpoolStoreDamage, OneBatchIsDroppedWhereItLies) {
  for (const bool letter : {false, true}) {
    SimFlash flash;
    const LoopSide before = MakeSpool(flash);
    const TestBatch victim = letter ? MakeBatch(Signal::kLogs, 22, 900)  // The second letter.
                                    : MakeBatch(Signal::kMetrics, 10, kSmall);
    std::string& file = flash.files["spool.db"];
    const std::string middle(victim.record.bytes().begin() + 400, victim.record.bytes().begin() + 420);
    const size_t at = file.find(middle);
    ASSERT_NE(at, std::string::npos);
    file[at] ^= 4;
    SpoolRig rig(flash);
    EXPECT_FALSE(MustOpen(rig).salvaged);
    rig.loop.sizes = before.sizes;
    if (letter) {
      rig.Begin().dead_action = DeadAction::kRetry;
      ASSERT_TRUE(rig.Run().ok());
      EXPECT_EQ(rig.job.purged_items[1], victim.header.items);
      EXPECT_EQ(rig.job.retried_items[2], 1u + 21 % 7);
      EXPECT_EQ(rig.Drain(), 19u);
    } else {
      EXPECT_EQ(rig.Drain(), 17u);
      EXPECT_EQ(DroppedItems(rig, Signal::kMetrics, DropReason::kDamaged), victim.header.items);
    }
    EXPECT_EQ(rig.job.damaged, 1u);
    EXPECT_FALSE(flash.files.contains("spool.db.damaged-1"));
  }
}

TEST(SpoolStoreDamage, ADamagedBatchIsNotBuried) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  rig.Add(Signal::kLogs, 5000);
  rig.Add(Signal::kLogs, 5000);
  ASSERT_TRUE(rig.Run().ok());
  rig.store.reset();
  const std::vector<uint8_t> bytes = MakeBatch(Signal::kLogs, 1, 5000).record.bytes();
  std::string& file = flash.files["spool.db"];
  file[file.find(std::string(bytes.begin() + 3000, bytes.begin() + 3020))] ^= 1;
  rig.NewProcess();
  MustOpen(rig);
  rig.Begin();
  rig.Bury(Signal::kLogs, 1);
  rig.loop.done[1] = 1;
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.job.buried_items[1], 0u);
  EXPECT_EQ(DroppedItems(rig, Signal::kLogs, DropReason::kDamaged), 2u);
  EXPECT_EQ(rig.Drain(), 1u);
}

/// Every sector of the file at rest, damaged in several ways: whatever comes out is right, and the
/// rest is counted.
/// With the heap of a program: what garbage claims to be long does not get it.
TEST(SpoolStoreDamage, AnySector) {
  struct Limit {
    Limit() { SqliteHeap::Get().limit = SpoolMemory::HeapBytes(64 * kKiB); }
    ~Limit() { SqliteHeap::Get().limit = 0; }
  } const limit;
  SimFlash made;
  const LoopSide before = MakeSpool(made);
  const std::string sound = made.files["spool.db"];
  int set_aside = 0, runs = 0;
  uint64_t kept = 0;
  for (size_t at = 0; at < sound.size(); at += 512) {
    for (const int pattern : {0, 1, 2, 3}) {
      if (kSlow && static_cast<int>(at / 512 % 4) != pattern) continue;
      SCOPED_TRACE("sector " + std::to_string(at / 512) + " pattern " + std::to_string(pattern));
      SimFlash flash;
      flash.files = made.files;
      std::string& file = flash.files["spool.db"];
      std::mt19937_64 random(at + pattern);
      for (size_t i = at; i < at + 512; ++i) {
        if (pattern == 0) file[i] = '\0';
        if (pattern == 1) file[i] = '\xff';
        if (pattern == 2) file[i] = static_cast<char>(random());
        if (pattern == 3 && i % 128 == 5) file[i] ^= 0x10;
      }
      SpoolRig rig(flash);
      SpoolOpened opened;
      ASSERT_TRUE(rig.store->Open(opened).ok());
      rig.loop = before;
      rig.loop.doubtful = true;
      const std::string aside = opened.salvaged ? flash.files["spool.db.damaged-1"] : "";
      const uint64_t items = TakeAll(rig);
      // Once is enough.
      if (opened.salvaged) { EXPECT_TRUE(flash.files["spool.db.damaged-1"] == aside); }
      if (!opened.fresh || !opened.salvaged) { EXPECT_LE(items, Held(before)); }
      kept += items;
      ++runs;
      set_aside += flash.files.contains("spool.db.damaged-1") ? 1 : 0;
      if (HasFailure()) return;
    }
  }
  std::printf("%d damaged files: %d set aside, %.1f %% of the items kept\n", runs, set_aside,
              100.0 * static_cast<double>(kept) / static_cast<double>(Held(before)) / runs);
}

TEST(SpoolStoreDamage, ATruncatedFileGivesWhatIsLeft) {
  SimFlash made;
  const LoopSide before = MakeSpool(made);
  const std::string sound = made.files["spool.db"];
  uint64_t most = 0;
  for (size_t size = 1024; size < sound.size(); size += 1024) {
    SCOPED_TRACE(size);
    SimFlash flash;
    flash.files = made.files;
    flash.files["spool.db"].resize(size);
    SpoolRig rig(flash);
    SpoolOpened opened;
    ASSERT_TRUE(rig.store->Open(opened).ok());
    EXPECT_TRUE(opened.salvaged);
    rig.loop = before;
    rig.Resume(opened);
    uint64_t collected = 0, expected = 0;
    for (const Account& account : rig.loop.accounts) collected += account.collected;
    for (const Account& account : before.accounts) expected += account.collected;
    if (!opened.fresh) { EXPECT_EQ(collected, expected); }  // What did not read is counted.
    EXPECT_EQ(opened.loss_unknown, opened.fresh);
    for (const Signal signal : kSignals) {
      const size_t i = Index(signal);
      const uint64_t kept = opened.totals[i].items + opened.account.accounts[i].dead;
      const uint64_t lost = before.held[i] + before.accounts[i].dead - kept;
      EXPECT_EQ(opened.salvage_lost[i], opened.fresh ? 0 : lost);
    }
    rig.loop.doubtful = true;
    most = std::max(most, TakeAll(rig));
    if (HasFailure()) return;
  }
  EXPECT_GT(most, Held(before) / 2);
}

TEST(SpoolStoreDamage, SalvageKeepsAllButWhatIsDamaged) {
  for (const Sync sync : {Sync::kFull, Sync::kNormal}) {
    SimFlash flash;
    const LoopSide before = MakeSpool(flash, {.sync = sync});
    // A page of a batch of 5000 bytes that points nowhere.
    const std::vector<uint8_t> bytes = MakeBatch(Signal::kLogs, 14, 5000).record.bytes();
    std::string& file = flash.files["spool.db"];
    const size_t page = file.find(std::string(bytes.begin() + 2500, bytes.begin() + 2520)) / 1024;
    file.replace(page * 1024, 512, 512, '\xee');
    SpoolRig rig(flash, {.sync = sync});
    EXPECT_FALSE(MustOpen(rig).salvaged);  // Not seen yet.
    rig.loop.sizes = before.sizes;
    const uint64_t items = TakeAll(rig);
    EXPECT_EQ(items, Held(before) - 1 - 14 % 7);
    EXPECT_EQ(DroppedItems(rig, Signal::kLogs, DropReason::kDamaged), 1u + 14 % 7);
    EXPECT_TRUE(flash.files.contains("spool.db.damaged-1"));
    const std::string dump = Dump(flash.files);
    EXPECT_NE(dump.find("1=18 010203|"), std::string::npos) << dump;
    EXPECT_NE(dump.find("1,09090900"), std::string::npos);
    EXPECT_NE(dump.find("dead 21/21 22/22"), std::string::npos) << dump;
    EXPECT_NE(dump.find("instance=0123456789abcdef"), std::string::npos);
    EXPECT_EQ(rig.loop.accounts[1].dead, before.accounts[1].dead);
  }
}

/// The spool of MakeSpool with a hole, known to be damaged: its header does not say its size.
void Break(SimFlash& flash) {
  std::string& file = flash.files["spool.db"];
  file.resize(file.size() - 4096);
}

TEST(SpoolStoreDamage, ASalvageGoesOnAfterAnyCut) {
  SimFlash made;
  MakeSpool(made);
  Break(made);
  std::string whole;
  int cuts = 0;
  for (uint64_t nth = 1;; nth += kSlow && nth > 1 ? 7 : 1) {
    SCOPED_TRACE(nth);
    SimFlash flash;
    flash.files = made.files;
    SpoolRig rig(flash, {.max_bytes = kMiB});
    if (nth > 1) flash.CutPowerAfter(nth - 1);
    SpoolOpened opened;
    const Status status = rig.store->Open(opened);
    const bool dead = flash.dead();
    if (nth == 1) {
      ASSERT_TRUE(status.ok());
      whole = Dump(flash.files);
      EXPECT_EQ(whole.find("DAMAGED"), std::string::npos);
      continue;
    }
    if (!dead) break;
    ++cuts;
    rig.store.reset();
    flash.Reboot(nth);
    rig.NewProcess();
    ASSERT_TRUE(rig.store->Open(opened).ok());
    ASSERT_EQ(Dump(flash.files), whole);
    EXPECT_EQ(flash.files["spool.db.damaged-1"], made.files["spool.db"]);
  }
  std::printf("%d cuts of a salvage\n", cuts);
}

TEST(SpoolStoreDamage, ASalvageLosesNothingToAFailure) {
  SimFlash made;
  MakeSpool(made);
  Break(made);
  std::string whole;
  int met = 0;
  constexpr unsigned kKinds[] = {
      SimFlash::kOpen,   SimFlash::kRead,   SimFlash::kWrite,  SimFlash::kSync,
      SimFlash::kDelete, SimFlash::kAccess, SimFlash::kRename, 0 /* an allocation */};
  for (const unsigned kind : kKinds) {
    for (const Fault fault : {Fault::kOnce, Fault::kFromThenOn}) {
      for (int nth = 1, hits = 1; hits > 0; nth += (kind == 0 ? 31 : 1) * (kSlow ? 7 : 1)) {
        SCOPED_TRACE("kind " + std::to_string(kind) + " number " + std::to_string(nth));
        SimFlash flash;
        flash.files = made.files;
        SpoolRig rig(flash);
        SpoolOpened opened;
        if (whole.empty()) {
          ASSERT_TRUE(rig.store->Open(opened).ok());
          whole = Dump(flash.files);
          continue;
        }
        if (kind == 0) SqliteHeap::Get().FailAllocation(nth, fault == Fault::kFromThenOn);
        if (kind != 0) flash.FailAfter(kind, nth, fault);
        const Status status = rig.store->Open(opened);
        hits = kind == 0 ? SqliteHeap::Get().FailAllocation(0) : flash.Heal();
        met += hits > 0;
        if (!status.ok()) { ASSERT_TRUE(rig.store->Open(opened).ok()); }
        ASSERT_EQ(Dump(flash.files), whole);
      }
    }
  }
  std::printf("%d failures of a salvage\n", met);
}

/// A device that never reads some part of a file is no better than a damaged file.
TEST(SpoolStoreDamage, AnUnreadableDeviceIsGivenUp) {
  SimFlash flash;
  MakeSpool(flash);
  SpoolRig rig(flash);
  SpoolOpened opened;
  for (int attempt = 0; attempt < 3; ++attempt) {
    flash.FailAfter(SimFlash::kRead, 1, Fault::kFromThenOn);
    EXPECT_EQ(rig.store->Open(opened).code, Code::kIo);
    flash.Heal();
    EXPECT_FALSE(flash.files.contains("spool.db.salvage"));
  }
  ASSERT_TRUE(rig.store->Open(opened).ok());
  EXPECT_TRUE(opened.salvaged);
  EXPECT_FALSE(opened.fresh);  // It read after all: nothing is lost.
  EXPECT_FALSE(opened.loss_unknown);
  EXPECT_EQ(opened.salvage_lost, (std::array<uint64_t, kSignalCount>{}));
  EXPECT_EQ(opened.totals[0].batches, 8u);
}

/// Storage that somebody else plays with.
class OddStorage final : public Storage {
 public:
  explicit OddStorage(SimStorage& storage) : storage_(storage) {}
  std::string denied;       ///< Of another user; renamed, it remains so.
  uint64_t more_bytes = 0;  ///< That the file of that name has than the one that is open.

  Status Prepare() override { return storage_.Prepare(); }
  Result<Space> Free() override { return storage_.Free(); }
  Result<uint64_t> SizeOf(std::string_view name) override {
    if (name == denied) return {Code::kDenied, 0, "size"};
    const Result<uint64_t> size = storage_.SizeOf(name);
    if (!size.ok() || name != kSpoolFile) return size;
    return size.value() + more_bytes;
  }
  Status Rename(std::string_view from, std::string_view to) override {
    if (from == denied) denied = to;
    return storage_.Rename(from, to);
  }
  Status Remove(std::string_view name) override { return storage_.Remove(name); }
  size_t WritePath(std::string_view name, std::span<char> into) const override {
    return storage_.WritePath(name, into);
  }
  const char* vfs() const override { return storage_.vfs(); }
  uint64_t written_bytes() const override { return storage_.written_bytes(); }
  uint64_t syncs() const override { return storage_.syncs(); }

 private:
  SimStorage& storage_;
};

TEST(SpoolStoreDamage, AFileOfAnotherUserIsSetAside) {
  SimFlash flash;
  SpoolRig rig(flash);
  OddStorage storage(rig.storage);
  storage.denied = "spool.db";
  flash.files["spool.db"] = "secret";
  rig.NewProcess(&storage);
  SpoolOpened opened;
  ASSERT_TRUE(rig.store->Open(opened).ok());
  EXPECT_TRUE(opened.fresh);
  EXPECT_TRUE(opened.salvaged);
  EXPECT_EQ(flash.files["spool.db.damaged-1"], "secret");
  rig.store.reset();
}

TEST(SpoolStoreDamage, AFileThatVanishesOrIsReplacedIsNoticed) {
  for (const bool vanishes : {false, true}) {
    SimFlash flash;
    SpoolRig rig(flash);
    OddStorage storage(rig.storage);
    rig.NewProcess(&storage);
    MustOpen(rig);
    rig.Begin();
    rig.Add(Signal::kLogs, 100);
    ASSERT_TRUE(rig.Run().ok());
    if (vanishes) {
      flash.files.erase("spool.db");
    } else {
      storage.more_bytes = 1024;
    }
    rig.Begin();
    EXPECT_EQ(rig.Run().code, Code::kUnavailable);
    storage.more_bytes = 0;
    rig.Begin().open = true;
    rig.loop.doubtful = true;
    rig.Add(Signal::kMetrics, 100);
    ASSERT_TRUE(rig.Run().ok());
    EXPECT_TRUE(rig.job.was_opened);
    EXPECT_EQ(rig.job.opened.fresh, vanishes);
    EXPECT_EQ(DroppedItems(rig, Signal::kLogs, DropReason::kDamaged), vanishes ? 2u : 0u);
    EXPECT_EQ(rig.Drain(), vanishes ? 1u : 2u);
    rig.store.reset();
  }
}

TEST(SpoolStoreDamage, ADirectoryThatTurnsReadOnlyComesBack) {
  SimFlash flash;
  SpoolRig rig(flash);
  MustOpen(rig);
  rig.Begin();
  rig.Add(Signal::kLogs, 100);
  ASSERT_TRUE(rig.Run().ok());
  flash.read_only = true;
  for (int n = 0; n < 5; ++n) {
    rig.Begin().open = true;
    rig.Add(Signal::kLogs, 100);
    EXPECT_FALSE(rig.Run().ok());
  }
  flash.read_only = false;
  rig.Begin().open = true;
  rig.Add(Signal::kLogs, 100);
  ASSERT_TRUE(rig.Run().ok());
  EXPECT_EQ(rig.Drain(), 2u);
  EXPECT_FALSE(flash.files.contains("spool.db.damaged-1"));
}

// Wear

/// The bars of spec.md (promise 6) and of docs/spool.md, in every phase of an outage.
TEST(SpoolStoreWear, StaysBelowTheBars) {
  struct Case {
    const char* name;
    std::vector<size_t> commit;
    uint64_t max_bytes;
    double per_payload, kib_per_commit;  ///< At most.
  };
  const Case cases[] = {
      {"4 x 64 KiB", std::vector<size_t>(4, 64 * kKiB), 16 * kMiB, 1.4, 1e9},
      {"host metrics alone", {kSmall}, 2 * kMiB, 1e9, 24},
      {"host metrics and 200 lines a second", {25 * kKiB, kSmall}, 8 * kMiB, 3, 1e9},
  };
  for (const Case& c : cases) {
    SpoolLoad load(c.commit, {.max_bytes = c.max_bytes});
    (void)load.Run(40, false);
    const LoadPhase append = load.Run(20, false), settle = load.Run(100, true);
    load.FillUp();
    const LoadPhase drop = load.Run(100, false);
    ASSERT_TRUE(load.ok());
    for (const LoadPhase* phase : {&append, &settle, &drop}) {
      EXPECT_LE(phase->per_payload(), c.per_payload) << c.name;
      EXPECT_LE(phase->per_commit() / kKiB, c.kib_per_commit) << c.name;
      std::printf("%s, %s: %.2f per byte, %.1f KiB per commit, %.1f syncs\n", c.name,
                  phase == &append ? "appending" : phase == &settle ? "settling" : "dropping",
                  phase->per_payload(), phase->per_commit() / kKiB,
                  static_cast<double>(phase->flash.syncs) / static_cast<double>(phase->commits));
    }
  }
}

TEST(SpoolStoreWear, WhatWasWrittenIsCountedOverAllProcesses) {
  SimFlash flash;
  uint64_t earlier = 0;
  for (int process = 0; process < 4; ++process) {
    SCOPED_TRACE(process);
    flash.counters = {};
    SpoolRig rig(flash);
    const bool damaged = process == 2;
    if (damaged) flash.files["spool.db"].resize(flash.files["spool.db"].size() - 1024);
    EXPECT_EQ(MustOpen(rig).salvaged, damaged);
    for (int n = 0; n < 5; ++n) {
      rig.Begin();
      rig.Add(Signal::kLogs, 20'000);
      ASSERT_TRUE(rig.Run().ok());
      // But for what each process wrote after it had noted the number for the last time.
      const uint64_t all = earlier + rig.storage.written_bytes();
      EXPECT_LE(rig.job.written_bytes, all);
      EXPECT_GE(rig.job.written_bytes + static_cast<uint64_t>(process) * 40'000, all);
    }
    rig.store.reset();
    earlier += rig.storage.written_bytes();
  }
  EXPECT_GT(earlier, 400'000u);
}

/// The last of all: what the tests before it took of SQLite's heap, two connections included.
TEST(SpoolStoreWear, TheHeapSuffices) {
  const uint64_t peak = SqliteHeap::Get().heap().use().peak;
  std::printf("SQLite's heap: %llu KiB at most, of %zu\n",
              static_cast<unsigned long long>(peak / kKiB), SpoolMemory::HeapBytes(64 * kKiB) / kKiB);
  EXPECT_LE(peak, SpoolMemory::HeapBytes(64 * kKiB));
}

}  // namespace
}  // namespace limpet::sim
