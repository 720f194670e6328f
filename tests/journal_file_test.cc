#include "logs/journal_file.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "journal_writer.h"
#include "sim/world.h"

namespace limpet {
namespace {

constexpr uint64_t kTime = 1'700'000'000'000'000;
constexpr const char* kPath = "/j/system.journal";

class JournalFileTest : public testing::TestWithParam<bool> {
 protected:
  JournalFileTest() : writer_({.compact = GetParam()}) {}

  void Fill(uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) {
      writer_.Append(i, kTime + i, {"MESSAGE=line " + std::to_string(i), "_COMM=a", "PRIORITY=6"});
    }
  }
  void Store() { files_.contents[kPath] = writer_.bytes; }
  Status Open(bool closed = false) {
    Store();
    return journal_.Open(pages_, files_.Open(kPath).value(), closed);
  }

  /// Sequence numbers of all that can be read now; each entry's fields are read as well.
  std::vector<uint64_t> Rest() {
    std::vector<uint64_t> got;
    JournalEntry entry;
    for (size_t turn = 0; turn < 100'000; ++turn) {
      const JournalFile::Got what = journal_.Peek(entry);
      if (what == JournalFile::Got::kNone) return got;
      if (what == JournalFile::Got::kPassed) continue;
      for (uint32_t i = 0; i < entry.fields; ++i) (void)Text(entry, i);
      got.push_back(entry.seqnum);
      journal_.Advance(entry);
    }
    ADD_FAILURE() << "no end";
    return got;
  }
  std::string Text(const JournalEntry& entry, uint32_t index) {
    uint8_t into[256];
    const Result<JournalField> field = journal_.Field(entry, index, into);
    if (!field.ok()) return std::string("damaged: ") + field.status().where;
    return std::string(field.value().stored.begin(), field.value().stored.end());
  }
  static std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
    std::vector<uint64_t> range;
    for (uint64_t i = first; i <= last; ++i) range.push_back(i);
    return range;
  }

  sim::SimFiles files_;
  std::vector<char> memory_ = std::vector<char>(2 * JournalPages::kPageBytes);
  JournalPages pages_{files_, memory_};
  JournalWriter writer_;
  JournalFile journal_;
};
INSTANTIATE_TEST_SUITE_P(Layouts, JournalFileTest, testing::Bool(),
                         [](const auto& layout) { return layout.param ? "Compact" : "Regular"; });

TEST_P(JournalFileTest, ReadsEntriesWithTheirFields) {
  writer_.Append(7, kTime, {"MESSAGE=hello", "_COMM=a"});
  writer_.Append(9, kTime + 5, {"MESSAGE=world", "_COMM=a", "MESSAGE=hello"});
  ASSERT_TRUE(Open().ok());
  JournalEntry entry;
  ASSERT_EQ(journal_.Peek(entry), JournalFile::Got::kEntry);
  EXPECT_EQ(entry.seqnum, 7u);
  EXPECT_EQ(entry.realtime_us, kTime);
  EXPECT_EQ(entry.boot[3], 0xB0);
  ASSERT_EQ(entry.fields, 2u);
  EXPECT_EQ(Text(entry, 0), "MESSAGE=hello");
  ASSERT_EQ(journal_.Peek(entry), JournalFile::Got::kEntry) << "the same one, until Advance";
  journal_.Advance(entry);
  ASSERT_EQ(journal_.Peek(entry), JournalFile::Got::kEntry);
  EXPECT_EQ(entry.seqnum, 9u);
  ASSERT_EQ(entry.fields, 3u);
  EXPECT_EQ(Text(entry, 1), "_COMM=a");
  EXPECT_EQ(Text(entry, 2), "MESSAGE=hello");
  uint8_t some[4];
  const Result<JournalField> cut = journal_.Field(entry, 0, some);
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(cut.value().bytes, 13u);
  EXPECT_EQ(cut.value().stored.size(), 4u);
}

TEST_P(JournalFileTest, ReadsAsTheFileGrows) {
  Fill(1, 3);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Rest(), Range(1, 3));
  for (uint64_t seqnum = 4; seqnum < 300; seqnum += 7) {
    Fill(seqnum, seqnum + 6);
    Store();
    EXPECT_EQ(Rest(), Range(1, 0)) << "before Refresh";
    ASSERT_TRUE(journal_.Refresh().ok());
    ASSERT_EQ(Rest(), Range(seqnum, seqnum + 6));
  }
  EXPECT_EQ(journal_.damaged(), 0u);
}

TEST_P(JournalFileTest, SeeksAnySequenceNumber) {
  for (uint64_t i = 10; i <= 400; i += 3) writer_.Append(i, kTime + i, {"MESSAGE=" + std::to_string(i)});
  ASSERT_TRUE(Open().ok());
  for (uint64_t after = 0; after < 410; ++after) {
    journal_.SeekAfter(after);
    JournalEntry entry;
    const uint64_t next = after < 10 ? 10 : 10 + (after - 10) / 3 * 3 + 3;
    if (next > 400) {
      EXPECT_EQ(journal_.Peek(entry), JournalFile::Got::kNone);
    } else {
      ASSERT_EQ(journal_.Peek(entry), JournalFile::Got::kEntry) << after;
      EXPECT_EQ(entry.seqnum, next);
    }
  }
  files_.reads = 0;
  journal_.SeekAfter(250);
  EXPECT_LT(files_.reads, 40u) << "a bisection, not a walk";
}

TEST_P(JournalFileTest, SeeksPastWhatIsDamaged) {
  Fill(1, 100);
  for (const size_t i : {20u, 49u, 50u, 60u, 75u, 99u}) writer_.bytes[writer_.entries[i]] = 0;
  writer_.SetState(JournalWriter::kArchived);
  ASSERT_TRUE(Open().ok());
  for (uint64_t after = 0; after < 100; ++after) {
    std::vector<uint64_t> expected;
    for (uint64_t i = after + 1; i <= 100; ++i) {
      if (writer_.bytes[writer_.entries[static_cast<size_t>(i - 1)]] != 0) expected.push_back(i);
    }
    journal_.SeekAfter(after);
    ASSERT_EQ(Rest(), expected) << after;
  }
}

TEST_P(JournalFileTest, RefusesWhatIsNoJournal) {
  struct Case { const char* name; size_t at; uint64_t value; size_t bytes; Code code; };
  constexpr Case cases[] = {
      {"signature", 0, 'X', 1, Code::kInvalid},
      {"an unknown feature", 12, 32, 4, Code::kUnsupported},
      {"an unknown state", 16, 3, 1, Code::kInvalid},
      {"a short header", 88, 200, 8, Code::kInvalid},
      {"a huge header", 88, uint64_t{1} << 40, 8, Code::kInvalid},
      {"a huge arena", 96, UINT64_MAX - 100, 8, Code::kInvalid},
      {"more entries than there is room for", 152, 1'000'000, 8, Code::kInvalid},
  };
  Fill(1, 5);
  const std::string whole = writer_.bytes;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    writer_.bytes = whole;
    writer_.Put(c.at, c.value, c.bytes);
    EXPECT_EQ(Open().code, c.code);
  }
  writer_.bytes = whole;
  writer_.Put(72, 0), writer_.Put(80, 0);
  EXPECT_EQ(Open().code, Code::kInvalid) << "no seqnum_id";
  writer_.bytes = whole.substr(0, 207);
  EXPECT_EQ(Open().code, Code::kInvalid);
  writer_.bytes = whole.substr(0, 208);
  EXPECT_TRUE(Open().ok()) << "files before systemd 187 have a header of 208 bytes";
}

TEST_P(JournalFileTest, PassesOverDamagedEntries) {
  struct Case { const char* name; size_t at; uint64_t value; size_t bytes; };
  constexpr Case cases[] = {
      {"type", 0, 1, 1},          {"size 0", 8, 0, 8},
      {"no field", 8, 64, 8},     {"size beyond the file", 8, 1 << 30, 8},
      {"seqnum 0", 16, 0, 8},     {"seqnum beyond the last", 16, UINT64_MAX, 8},
      {"no time", 24, 0, 8},      {"time beyond all", 24, uint64_t{1} << 54, 8},
  };
  Fill(1, 40);
  writer_.SetState(JournalWriter::kArchived);
  const std::string whole = writer_.bytes;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    writer_.bytes = whole;
    writer_.Put(writer_.entries[9] + c.at, c.value, c.bytes);
    ASSERT_TRUE(Open().ok());
    std::vector<uint64_t> expected = Range(1, 40);
    expected.erase(expected.begin() + 9);
    EXPECT_EQ(Rest(), expected);
    EXPECT_EQ(journal_.damaged(), 1u);
  }
}

TEST_P(JournalFileTest, ABrokenChainEndsTheFile) {
  Fill(1, 40);  // Arrays of 4, 8, 16, 32.
  writer_.SetState(JournalWriter::kArchived);
  const std::string whole = writer_.bytes;
  for (const uint64_t next : {uint64_t{0}, uint64_t{3}, uint64_t{1} << 50, uint64_t{writer_.arrays[0]}, uint64_t{writer_.arrays[1]}}) {
    writer_.bytes = whole;
    writer_.Put(writer_.arrays[1] + 16, next);
    ASSERT_TRUE(Open().ok());
    EXPECT_EQ(Rest(), Range(1, 12));
    EXPECT_EQ(journal_.damaged(), 28u);
  }
}

TEST_P(JournalFileTest, ClaimsOfMoreThanTheFileHasEnd) {
  Fill(1, 40);
  constexpr uint64_t kClaimed = uint64_t{1} << 50;
  writer_.Put(96, kClaimed);                       // The bytes of all objects,
  writer_.Put(152, kClaimed / 64);                 // the entries,
  writer_.Put(writer_.arrays.back() + 8, kClaimed / 2);  // the bytes of the last array.
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Rest(), Range(1, 40));
  EXPECT_EQ(journal_.damaged(), kClaimed / 64 - 40);
}

TEST_P(JournalFileTest, ArraysDoNotOverlap) {
  Fill(1, 40);  // Arrays of 4, 8, 16, 32.
  writer_.SetState(JournalWriter::kArchived);
  // The second claims the bytes of all that follow it: the third lies within it.
  writer_.Put(writer_.arrays[1] + 8, writer_.bytes.size() - writer_.arrays[1]);
  ASSERT_TRUE(Open().ok());
  std::vector<uint64_t> read = Rest();
  EXPECT_EQ(read, Range(1, 12));
  EXPECT_EQ(journal_.damaged(), 28u);
}

TEST_P(JournalFileTest, WaitsForAnEntryThatIsHalfWritten) {
  Fill(1, 10);
  const size_t size = GetParam() ? 64 + 3 * 4 : 64 + 3 * 16;
  const std::string last = writer_.bytes.substr(writer_.entries[9], size);
  writer_.bytes.replace(writer_.entries[9], size, std::string(size, '\0'));
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Rest(), Range(1, 9));
  EXPECT_EQ(journal_.damaged(), 0u);
  writer_.bytes.replace(writer_.entries[9], size, last);
  Fill(11, 11);
  Store();
  ASSERT_TRUE(journal_.Refresh().ok());
  EXPECT_EQ(Rest(), Range(10, 11));

  // It never came: it is passed over as soon as another one follows, or nobody writes any more.
  writer_.bytes[writer_.entries[10]] = 0;
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Rest(), Range(1, 10));
  ASSERT_TRUE(Open(true).ok());
  EXPECT_EQ(Rest(), Range(1, 10));
  EXPECT_EQ(journal_.damaged(), 1u);
}

TEST_P(JournalFileTest, ADamagedFieldIsNotFollowed) {
  writer_.Append(1, kTime, {"MESSAGE=hello", "_COMM=a"});
  const std::string whole = writer_.bytes;
  const size_t data = writer_.data.at("MESSAGE=hello");
  const size_t item = writer_.entries[0] + 64;
  struct Case { const char* name; size_t at; uint64_t value; size_t bytes; };
  const Case cases[] = {
      {"offset 0", item, 0, 4},
      {"offset that is not aligned", item, data + 1, 4},
      {"offset beyond", item, 0xFFFFFFF8, 4},
      {"the type", data, 3, 1},
      {"its size", data + 8, 20, 8},
      {"its size beyond", data + 8, 1 << 20, 8},
      {"two compressions", data + 1, 3, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    writer_.bytes = whole;
    writer_.Put(c.at, c.value, c.bytes);
    ASSERT_TRUE(Open().ok());
    JournalEntry entry;
    ASSERT_EQ(journal_.Peek(entry), JournalFile::Got::kEntry);
    uint8_t into[64];
    EXPECT_EQ(journal_.Field(entry, 0, into).status().code, Code::kInvalid);
    EXPECT_EQ(Text(entry, 1), "_COMM=a");
  }
}

TEST_P(JournalFileTest, SurvivesAnyDamage) {
  Fill(1, 60);
  const std::string whole = writer_.bytes;
  std::mt19937 random(4);
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(round);
    writer_.bytes = whole;
    for (unsigned n = random() % 8; n-- > 0;) writer_.bytes[random() % whole.size()] = static_cast<char>(random());
    if (round % 3 == 0) writer_.bytes.resize(random() % whole.size());
    if (!Open(round % 2 == 0).ok()) continue;
    journal_.SeekAfter(random() % 70);
    const std::vector<uint64_t> got = Rest();
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
    (void)journal_.Refresh();
  }
}

}  // namespace
}  // namespace limpet
