// Reading a spool that was made by hand, row by row, so that each can be wrong.
#include "spool/reader.h"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/sqlite_heap.h"
#include "spool/schema.h"

namespace limpet {
namespace {

class Bytes final : public Body {
 public:
  explicit Bytes(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  std::span<const uint8_t> At(size_t offset) const override { return bytes_.subspan(offset); }

 private:
  std::span<const uint8_t> bytes_;
};

struct Findings final : FindingSink {
  void OnFinding(std::string_view text) override { texts.emplace_back(text); }
  std::vector<std::string> texts;
};

class SpoolReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    sim::SqliteHeap::Get();
    ASSERT_TRUE(db_.Open(":memory:", nullptr, Database::Mode::kCreate).ok());
    ASSERT_TRUE(db_.Execute(SpoolMigrations()[0]).ok());
    Sql("PRAGMA application_id=" + std::to_string(kSpoolApplication) +
        ";PRAGMA user_version=2;INSERT INTO state VALUES('next_row',100)");
  }
  void TearDown() override { reader_.Close(); }

  void Sql(const std::string& sql) { ASSERT_TRUE(db_.Execute(sql.c_str()).ok()) << sql; }

  /// 10 items; its blob is two bytes of checkpoints and `row` bytes.
  void Add(Signal signal, SpoolRow row, bool dead = false) {
    Record record;
    record.row = row;
    record.header.signal = signal;
    record.header.sequence = row;
    record.header.items = 10;
    record.header.checkpoint_bytes = 2;
    record.header.stored_bytes = static_cast<uint32_t>(row);
    record.header.attempts = 3;
    const std::vector<uint8_t> blob(record.blob_bytes(), static_cast<uint8_t>(row));
    record.checksum = RecordChecksum(record.header, Bytes(blob));
    const std::string table(dead ? "dead" : SpoolTable(signal));
    std::string sql = "INSERT INTO " + table + "(row," + std::string(kRecordColumns) +
                      (dead ? ",signal,died,destination,answer" : "") + ",bytes) VALUES(?";
    for (int i = 0; i < kRecordColumnCount + (dead ? 5 : 1); ++i) sql += ",?";
    Statement statement;
    ASSERT_TRUE(statement.Prepare(db_, sql + ")").ok());
    int next = BindRecord(statement, record);
    if (dead) {
      statement.Bind(next++, static_cast<int64_t>(signal));
      statement.Bind(next++, int64_t{77});
      statement.Bind(next++, std::string_view("primary"));
      statement.Bind(next++, std::string_view("400: no"));
    }
    statement.BindZeros(next, blob.size());
    ASSERT_TRUE(statement.Run().ok());
    statement.Finish();
    ASSERT_TRUE(WriteBlob(db_, table.c_str(), row, Bytes(blob)).ok());
    const size_t i = Index(signal);
    if (dead) {
      state_.account.accounts[i].dead += 10;
      state_.dead_bytes += blob.size();
    } else {
      ++state_.totals[i].batches;
      state_.totals[i].items += 10;
      state_.totals[i].bytes += blob.size();
    }
    state_.next_row = std::max(state_.next_row, row + 1);
    Save();
  }
  void Save() {
    ASSERT_TRUE(SaveState(db_, state_, saved_).ok());
    saved_ = state_;
  }

  std::vector<SpoolRow> Rows(Kept kept, SpoolRow after = 0) {
    std::vector<SpoolRow> rows;
    EXPECT_TRUE(reader_.Walk(kept, after).ok());
    for (;;) {
      KeptRecord record;
      const Result<bool> more = reader_.Next(record);
      EXPECT_TRUE(more.ok());
      if (!more.ok() || !more.value()) return rows;
      rows.push_back(record.record.row);
    }
  }

  std::vector<std::string> Verify() {
    Findings findings;
    static std::array<uint8_t, 1024> buffer;
    const auto give = [](size_t) { return std::span<uint8_t>(buffer); };
    const Result<uint64_t> sound = reader_.Verify(findings, give);
    EXPECT_TRUE(sound.ok());
    sound_ = sound.value();
    return findings.texts;
  }

  Database db_;
  SpoolState state_, saved_;
  SpoolReader reader_;
  uint64_t sound_ = 0;
};

TEST_F(SpoolReaderTest, OrderOverAllSignals) {
  Add(Signal::kLogs, 2);
  Add(Signal::kMetrics, 1);
  Add(Signal::kTraces, 4);
  Add(Signal::kMetrics, 3);
  Add(Signal::kLogs, 9, true);
  Add(Signal::kMetrics, 7, true);
  ASSERT_TRUE(reader_.Open(db_).ok());
  EXPECT_EQ(Rows(Kept::kBatches), (std::vector<SpoolRow>{1, 2, 3, 4}));
  EXPECT_EQ(Rows(Kept::kBatches, 2), (std::vector<SpoolRow>{3, 4}));
  EXPECT_EQ(Rows(Kept::kDead), (std::vector<SpoolRow>{7, 9}));
  EXPECT_EQ(Verify(), std::vector<std::string>());
  EXPECT_EQ(sound_, 6u);
}

TEST_F(SpoolReaderTest, WhatIsDoneWithIsNotThere) {
  Add(Signal::kMetrics, 1);
  Add(Signal::kMetrics, 2);
  state_.done[0] = 1;
  state_.totals[0] = {.batches = 1, .items = 10, .bytes = 4};
  Save();
  ASSERT_TRUE(reader_.Open(db_).ok());
  EXPECT_EQ(Rows(Kept::kBatches), std::vector<SpoolRow>{2});
  KeptRecord record;
  EXPECT_EQ(reader_.Find(Kept::kBatches, 1, record).code, Code::kNotFound);
  EXPECT_TRUE(reader_.Find(Kept::kBatches, 2, record).ok());
  EXPECT_EQ(Verify(), std::vector<std::string>());
}

TEST_F(SpoolReaderTest, OneOfThem) {
  Add(Signal::kLogs, 5);
  Add(Signal::kTraces, 6, true);
  ASSERT_TRUE(reader_.Open(db_).ok());
  KeptRecord record;
  ASSERT_TRUE(reader_.Find(Kept::kBatches, 5, record).ok());
  EXPECT_EQ(record.record.header.signal, Signal::kLogs);
  EXPECT_EQ(record.record.header.attempts, 3u);
  std::array<uint8_t, 7> blob;
  const auto request = reader_.ReadBytes(Kept::kBatches, record.record, blob);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(std::vector<uint8_t>(request.value().begin(), request.value().end()),
            std::vector<uint8_t>(5, 5));
  ASSERT_TRUE(reader_.Find(Kept::kDead, 6, record).ok());
  EXPECT_EQ(record.record.header.signal, Signal::kTraces);
  EXPECT_EQ(record.died.ns, 77);
  EXPECT_EQ(record.destination.text(), "primary");
  EXPECT_EQ(record.answer.text(), "400: no");
  EXPECT_EQ(reader_.Find(Kept::kDead, 5, record).code, Code::kNotFound);
  EXPECT_EQ(reader_.Find(Kept::kBatches, 6, record).code, Code::kNotFound);
}

TEST_F(SpoolReaderTest, WhatIsWrongIsSaid) {
  struct Case {
    const char* name;
    const char* sql;
    const char* finding;
    void (*change)(SpoolState&) = [](SpoolState&) {};
  };
  constexpr Case cases[] = {
      {"bytes", "UPDATE logs SET bytes=zeroblob(4) WHERE row=2", "batch 2: a wrong checksum"},
      {"size", "UPDATE logs SET bytes=zeroblob(3) WHERE row=2", "batch 2: a blob of another size"},
      {"no blob", "UPDATE logs SET bytes=7 WHERE row=2", "batch 2: no blob"},
      {"header", "UPDATE logs SET sequence=8 WHERE row=2", "batch 2: a wrong checksum"},
      {"range", "UPDATE logs SET encoding=9 WHERE row=2", "batch 2: a damaged row"},
      {"dead", "UPDATE dead SET signal=3", "dead letter 9: a damaged row"},
      {"dead bytes", "", "bytes of dead letters: the account says 1, the rows come to 11",
       [](SpoolState& state) { state.dead_bytes = 1; }},
      {"number", "", "batch 2: a number that has not been given yet",
       [](SpoolState& state) { state.next_row = 2; }},
      {"batches", "", "batches of logs: the account says 2, the rows come to 1",
       [](SpoolState& state) { state.totals[1].batches = 2; }},
      {"items", "", "items of logs: the account says 0, the rows come to 10",
       [](SpoolState& state) { state.totals[1].items = 0; }},
      {"dead items", "DELETE FROM dead",
       "dead items of logs: the account says 10, the rows come to 0"},
  };
  Add(Signal::kLogs, 2);
  Add(Signal::kLogs, 9, true);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Sql("SAVEPOINT before");
    Sql(c.sql);
    SpoolState changed = state_;
    c.change(changed);
    ASSERT_TRUE(SaveState(db_, changed, state_).ok());
    ASSERT_TRUE(reader_.Open(db_).ok());
    const std::vector<std::string> found = Verify();
    EXPECT_NE(std::find(found.begin(), found.end(), c.finding), found.end())
        << testing::PrintToString(found);
    reader_.Close();
    Sql("ROLLBACK TO before;RELEASE before");
  }
}

TEST_F(SpoolReaderTest, OtherDatabases) {
  struct Case {
    const char* sql;
    Code code;
  };
  constexpr Case cases[] = {
      {"PRAGMA application_id=1", Code::kInvalid},
      {"PRAGMA user_version=0", Code::kInvalid},
      {"PRAGMA user_version=99", Code::kUnsupported},
      {"DELETE FROM state", Code::kInvalid},
      {"UPDATE state SET value=-1", Code::kInvalid},
      {"DROP TABLE state", Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sql);
    Sql("SAVEPOINT before");
    Sql(c.sql);
    EXPECT_EQ(reader_.Open(db_).code, c.code);
    reader_.Close();
    Sql("ROLLBACK TO before;RELEASE before");
  }
  EXPECT_TRUE(reader_.Open(db_).ok());
}

}  // namespace
}  // namespace limpet
