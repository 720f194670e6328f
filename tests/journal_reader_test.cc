#include "logs/journal_reader.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "inode_files.h"
#include "journal_writer.h"
#include "sim/world.h"

namespace limpet {
namespace {

constexpr uint64_t kTime = 1'700'000'000'000'000;
const std::string kFolder = "/var/log/journal/0123456789abcdef0123456789abcdef/";

class JournalReaderTest : public testing::Test {
 protected:
  void Start(bool from_beginning = true) {
    reader_.emplace(files_, log_, memory_,
                    JournalReader::Options{"/var/log/journal, /run/log/journal", from_beginning, Seconds(10)});
  }

  /// A turn: looks, and reads all there is. The numbers, and of which track by its first byte.
  std::vector<uint64_t> Turn() {
    std::vector<uint64_t> got;
    for (int polls = 0; polls < 10'000; ++polls) {
      reader_->Poll(now_);
      JournalFile* file;
      JournalEntry entry;
      while (reader_->Next(file, entry)) {
        EXPECT_EQ(reader_->position().seqnum, entry.seqnum);
        got.push_back(entry.seqnum);
        tracks_.push_back(reader_->position().seqnum_id[0]);
      }
      if (!reader_->busy()) {
        now_ = now_ + Milliseconds(250);
        return got;
      }
    }
    ADD_FAILURE() << "always busy";
    return got;
  }
  void Later() { now_ = now_ + Seconds(11); }

  static std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
    std::vector<uint64_t> range;
    for (uint64_t i = first; i <= last; ++i) range.push_back(i);
    return range;
  }
  static void Fill(JournalWriter& writer, uint64_t first, uint64_t last, uint64_t step = 1) {
    for (uint64_t i = first; i <= last; i += step) {
      writer.Append(i, kTime + i, {"MESSAGE=line " + std::to_string(i), "_COMM=a"});
    }
  }

  InodeFiles files_;
  sim::SimLog log_;
  std::vector<char> memory_ = std::vector<char>(4 * JournalPages::kPageBytes);
  std::optional<JournalReader> reader_;
  std::vector<int> tracks_;
  MonoTime now_{1};
};

TEST_F(JournalReaderTest, MergesFilesOfOneJournaldByNumber) {
  JournalWriter system({.file_id = 1}), user({.file_id = 2});
  Fill(system, 1, 99, 2);
  Fill(user, 2, 100, 2);
  files_.Write(kFolder + "system.journal", system.bytes);
  files_.Write(kFolder + "user-1000.journal", user.bytes);
  files_.Write(kFolder + "notes.txt", "no journal");
  files_.Write("/var/log/journal/other/system.journal", "not a machine's");
  Start();
  EXPECT_EQ(Turn(), Range(1, 100));
  Fill(system, 101, 105);
  Fill(user, 106, 106);
  files_.Write(kFolder + "system.journal", system.bytes);
  files_.Write(kFolder + "user-1000.journal", user.bytes);
  EXPECT_EQ(Turn(), Range(101, 106));
  EXPECT_EQ(reader_->counts().missing, 0u);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(JournalReaderTest, MergesJournaldsByTime) {
  JournalWriter a({.seqnum_id = 0xA0, .file_id = 1}), b({.seqnum_id = 0xB0, .file_id = 2, .machine_id = 1});
  a.Append(1, kTime + 1, {"MESSAGE=a"});
  a.Append(2, kTime + 5, {"MESSAGE=b"});
  a.Append(3, kTime + 3, {"MESSAGE=c"});  // The clock was set back.
  b.Append(10, kTime + 2, {"MESSAGE=d"});
  b.Append(11, kTime + 4, {"MESSAGE=e"});
  files_.Write(kFolder + "system.journal", a.bytes);
  files_.Write("/run/log/journal/x.journal", b.bytes);
  Start();
  EXPECT_EQ(Turn(), (std::vector<uint64_t>{1, 10, 11, 2, 3}));
  EXPECT_EQ(reader_->tracks(), 2u);
}

TEST_F(JournalReaderTest, BeginsAtTheEndOrTheBeginning) {
  JournalWriter old({.file_id = 1}), system({.file_id = 2});
  Fill(old, 1, 10);
  old.SetState(JournalWriter::kArchived);
  Fill(system, 11, 20);
  files_.Write(kFolder + "system@a.journal", old.bytes);
  files_.Write(kFolder + "system.journal", system.bytes);
  Start(false);
  EXPECT_EQ(Turn(), Range(1, 0));
  EXPECT_EQ(reader_->open_files(), 1u);
  EXPECT_EQ(reader_->track(0).seqnum, 20u);
  JournalWriter later({.seqnum_id = 0xB0, .file_id = 3});
  Fill(later, 1, 3);
  Fill(system, 21, 22);
  files_.Write(kFolder + "system.journal", system.bytes);
  files_.Write(kFolder + "user-1.journal", later.bytes);
  Later();
  EXPECT_EQ(Turn(), (std::vector<uint64_t>{1, 2, 3, 21, 22})) << "what comes later, from its beginning";
  Start(true);
  EXPECT_EQ(Turn().size(), 25u);
  EXPECT_EQ(files_.open(), 2u);
}

TEST_F(JournalReaderTest, ResumesWhereItWas) {
  JournalWriter old({.file_id = 1}), system({.file_id = 2});
  Fill(old, 1, 10);
  old.SetState(JournalWriter::kArchived);
  Fill(system, 11, 20);
  files_.Write(kFolder + "system@a.journal", old.bytes);
  files_.Write(kFolder + "system.journal", system.bytes);
  JournalId id;
  id.fill(0xA0);
  for (const uint64_t at : {0u, 5u, 10u, 11u, 20u}) {
    Start(false);
    reader_->Resume(id, at);
    EXPECT_EQ(Turn(), Range(at + 1, 20));
    EXPECT_EQ(reader_->counts().missing, 0u);
  }
}

TEST_F(JournalReaderTest, FollowsRotation) {
  JournalWriter system({.file_id = 1}), user({.file_id = 2});
  Fill(system, 1, 10);
  Fill(user, 11, 12);
  const std::string live = kFolder + "system.journal";
  files_.Write(live, system.bytes);
  files_.Write(kFolder + "user-1000.journal", user.bytes);
  Start();
  EXPECT_EQ(Turn(), Range(1, 12));
  uint64_t seqnum = 13;
  for (uint8_t round = 3; round < 60; ++round) {
    // Last entries, then the new name, then new entries in the new file, some only in the other one.
    Fill(system, seqnum, seqnum + 2);
    if (round % 2 == 0) system.SetState(JournalWriter::kArchived);
    files_.Write(live, system.bytes);
    files_.Rename(live, kFolder + "system@" + std::to_string(round) + ".journal" + (round % 3 == 0 ? "~" : ""));
    system = JournalWriter({.file_id = round});
    Fill(system, seqnum + 3, seqnum + 4);
    files_.Write(live, system.bytes);
    Fill(user, seqnum + 5, seqnum + 5);
    files_.Write(kFolder + "user-1000.journal", user.bytes);
    if (round % 5 == 0) {
      Later();
    }
    ASSERT_EQ(Turn(), Range(seqnum, seqnum + 5)) << int{round};
    seqnum += 6;
  }
  EXPECT_EQ(files_.open(), 2u);
  EXPECT_EQ(reader_->counts().missing, 0u);
  Later();
  files_.opens = 0;
  Turn();
  EXPECT_EQ(files_.opens, 2u) << "files that are read are not opened again";
}

TEST_F(JournalReaderTest, ReadsAFileThatIsRemovedToItsEnd) {
  JournalWriter old({.file_id = 1}), system({.file_id = 2});
  Fill(old, 1, 10);
  Fill(system, 11, 20);
  files_.Write(kFolder + "system@a.journal", old.bytes);
  files_.Write(kFolder + "system.journal", system.bytes);
  Start();
  reader_->Poll(now_);
  files_.names.erase(kFolder + "system@a.journal");
  files_.names.erase(kFolder + "system.journal");
  Later();
  EXPECT_EQ(Turn(), Range(1, 20));
  EXPECT_EQ(files_.open(), 0u);
  EXPECT_EQ(reader_->counts().missing, 0u);
}

TEST_F(JournalReaderTest, CountsWhatWasRemovedBeforeItWasRead) {
  JournalWriter system({.file_id = 2});
  Fill(system, 31, 40);
  files_.Write(kFolder + "system.journal", system.bytes);
  Start();
  JournalId id;
  id.fill(0xA0);
  reader_->Resume(id, 20);
  EXPECT_EQ(Turn(), Range(31, 40));
  EXPECT_EQ(reader_->counts().missing, 10u);
  EXPECT_EQ(log_.Count("entries of the journal are missing"), 1u);
}

TEST_F(JournalReaderTest, WaitsForAFileThatIsNotKnownYet) {
  JournalWriter system({.file_id = 1}), user({.file_id = 2});
  Fill(system, 1, 10);
  files_.Write(kFolder + "system.journal", system.bytes);
  Start();
  EXPECT_EQ(Turn(), Range(1, 10));
  Fill(user, 11, 12);
  Fill(system, 13, 14);
  files_.Write(kFolder + "user-1000.journal", user.bytes);
  files_.Write(kFolder + "system.journal", system.bytes);
  EXPECT_EQ(Turn(), Range(11, 14)) << "long before it is time to look for files";
}

TEST_F(JournalReaderTest, WhatJournaldCopiesFromRunIsReadOnce) {
  JournalWriter runtime({.seqnum_id = 0xB0, .file_id = 1}), system({.file_id = 2});
  Fill(runtime, 1, 10);
  files_.Write("/run/log/journal/0123456789abcdef0123456789abcdef/system.journal", runtime.bytes);
  Start();
  EXPECT_EQ(Turn(), Range(1, 10));
  for (uint64_t i = 1; i <= 10; ++i) system.Append(100 + i, kTime + i, {"MESSAGE=line " + std::to_string(i)});
  Fill(system, 111, 115);
  files_.names.clear();
  files_.Write(kFolder + "system.journal", system.bytes);
  Later();
  EXPECT_EQ(Turn(), Range(111, 115));
  EXPECT_EQ(files_.open(), 1u);
}

TEST_F(JournalReaderTest, MoreFilesThanCanBeOpenComeOldestFirst) {
  // Names in another order than the files' ages.
  constexpr uint64_t kFiles = 150;
  for (uint64_t i = 0; i < kFiles; ++i) {
    JournalWriter writer({.file_id = static_cast<uint8_t>(i + 1)});
    const uint64_t age = (i * 67) % kFiles;
    Fill(writer, age * 10 + 1, age * 10 + 10);
    writer.SetState(JournalWriter::kArchived);
    files_.Write(kFolder + "system@" + std::to_string(i) + ".journal", writer.bytes);
  }
  Start();
  EXPECT_EQ(Turn(), Range(1, kFiles * 10));
  EXPECT_EQ(reader_->counts().missing, 0u);
  EXPECT_GT(log_.Count("more files to read than can be open"), 0u);
  EXPECT_EQ(files_.open(), 0u);
}

TEST_F(JournalReaderTest, MoreLiveFilesThanCanBeOpenTakeTurns) {
  constexpr size_t kFiles = 80;
  std::vector<JournalWriter> writers;
  std::mt19937 random(3);
  for (size_t i = 0; i < kFiles; ++i) writers.emplace_back(JournalWriter::Options{.file_id = static_cast<uint8_t>(i + 1)});
  Start();
  uint64_t seqnum = 1;
  for (int round = 0; round < 20; ++round) {
    const uint64_t first = seqnum;
    for (int n = 0; n < 100; ++n) Fill(writers[random() % kFiles], seqnum, seqnum), ++seqnum;
    for (size_t i = 0; i < kFiles; ++i) {
      files_.Write(kFolder + "user-" + std::to_string(i) + ".journal", writers[i].bytes);
    }
    Later();
    ASSERT_EQ(Turn(), Range(first, seqnum - 1));
  }
  EXPECT_EQ(reader_->counts().missing, 0u);
}

TEST_F(JournalReaderTest, ADirectoryThatIsNoneIsSaid) {
  Start();
  EXPECT_EQ(Turn(), Range(1, 0));
  EXPECT_TRUE(log_.lines.empty()) << "there may be no journal yet";
  files_.Write(kFolder + "system@a.journal", "damaged");
  Later();
  EXPECT_EQ(Turn(), Range(1, 0));
  Later();
  EXPECT_EQ(Turn(), Range(1, 0));
  EXPECT_EQ(log_.Count("cannot be read"), 1u);
}

// Writers at work in random order: what is read is all there is, in order.
TEST_F(JournalReaderTest, RandomSteps) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    files_.names.clear();
    log_.lines.clear();
    reader_.reset();
    Start();
    uint8_t file_id = 1;
    std::map<std::string, JournalWriter> live;
    std::vector<uint64_t> got;
    uint64_t seqnum = 1;
    for (int step = 0; step < 400; ++step) {
      const std::string name = kFolder + (random() % 3 == 0 ? "user-1" : random() % 5 == 0 ? "user-2" : "system");
      const std::string path = name + ".journal";
      auto it = live.find(path);
      switch (random() % 8) {
        case 0:
          if (it == live.end() || file_id == 255) break;
          if (random() % 2 == 0) it->second.SetState(JournalWriter::kArchived);
          files_.Write(path, it->second.bytes);
          files_.Rename(path, name + "@" + std::to_string(step) + ".journal");
          live.erase(it);
          break;
        case 1: {
          for (const uint64_t n : Turn()) got.push_back(n);
          if (random() % 4 == 0) Later();
          break;
        }
        default: {
          if (it == live.end()) {
            if (file_id == 255) break;
            it = live.emplace(path, JournalWriter({.compact = random() % 2 == 0, .file_id = file_id++})).first;
          }
          Fill(it->second, seqnum, seqnum);
          ++seqnum;
          files_.Write(path, it->second.bytes);
        }
      }
      if (random() % 50 == 0) {  // A restart.
        const uint64_t at = got.empty() ? 0 : got.back();
        JournalId id;
        id.fill(0xA0);
        Start();
        reader_->Resume(id, at);
      }
    }
    Later();
    for (const uint64_t n : Turn()) got.push_back(n);
    ASSERT_EQ(got, Range(1, seqnum - 1));
    ASSERT_EQ(reader_->counts().missing, 0u);
  }
}

}  // namespace
}  // namespace limpet
