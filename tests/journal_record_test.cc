#include "logs/journal_record.h"

#include <gtest/gtest.h>

#include <lz4.h>

#include <string>
#include <vector>

#include "journal_writer.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"
#include "sim/world.h"

namespace limpet {
namespace {

constexpr uint64_t kTime = 1'700'000'000'000'000;

/// A zstd frame that stores its contents as they are: the decoder alone is linked here.
std::string StoredZstd(const std::string& text) {
  std::string frame("\x28\xB5\x2F\xFD", 4);
  frame += static_cast<char>(0xA0);  // One segment, its size in 4 bytes.
  for (int i = 0; i < 4; ++i) frame += static_cast<char>(text.size() >> (8 * i));
  size_t at = 0;
  do {
    const size_t block = std::min<size_t>(text.size() - at, 100'000);
    const size_t head = block << 3 | (at + block == text.size() ? 1 : 0);
    for (int i = 0; i < 3; ++i) frame += static_cast<char>(head >> (8 * i));
    frame += text.substr(at, block);
    at += block;
  } while (at < text.size());
  return frame;
}

std::string Lz4(const std::string& text) {
  std::string packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(text.size()))), '\0');
  const int size = LZ4_compress_default(text.data(), packed.data(), static_cast<int>(text.size()),
                                        static_cast<int>(packed.size()));
  std::string head(8, '\0');
  for (size_t i = 0; i < 8; ++i) head[i] = static_cast<char>(text.size() >> (8 * i));
  return head + packed.substr(0, static_cast<size_t>(size));
}

class JournalRecordTest : public testing::Test {
 protected:
  using Fields = std::vector<JournalWriter::Data>;
  using Outcome = JournalRecord::Outcome;

  Outcome Read(const Fields& fields, const JournalRecord::Options& options = {}) {
    JournalWriter writer({.compact = fields.size() % 2 == 0});
    writer.Append(7, kTime, fields);
    return Read(writer, options);
  }
  Outcome Read(const JournalWriter& writer, const JournalRecord::Options& options = {}) {
    files_.contents["/j"] = writer.bytes;
    EXPECT_TRUE(journal_.Open(pages_, files_.Open("/j").value(), true).ok());
    JournalEntry entry;
    EXPECT_EQ(journal_.Peek(entry), JournalFile::Got::kEntry);
    memory_.assign(JournalRecord::BytesNeeded(options.field_bytes_max), std::byte{0xEE});
    record_.emplace(memory_, options);
    return record_->Read(journal_, entry, got_);
  }

  /// Attributes as "key=text", "key=#number", "key=[text,text]".
  std::vector<std::string> Attributes() {
    std::vector<std::string> all;
    WireReader fields(got_.attributes);
    while (fields.Next()) {
      EXPECT_EQ(fields.field(), uint32_t{otlp_LogRecord_attributes_tag});
      std::string text;
      WireReader attribute = fields.Message();
      while (attribute.Next()) {
        if (attribute.field() == otlp_KeyValue_key_tag) {
          text += std::string(attribute.String()) + "=";
        } else {
          text += Value(attribute.Message());
        }
      }
      EXPECT_TRUE(attribute.status().ok());
      all.push_back(text);
    }
    EXPECT_TRUE(fields.status().ok());
    std::sort(all.begin(), all.end());
    return all;
  }
  static std::string Value(WireReader any) {
    std::string text;
    while (any.Next()) {
      switch (any.field()) {
        case otlp_AnyValue_string_value_tag: text += any.String(); break;
        case otlp_AnyValue_int_value_tag: text += "#" + std::to_string(static_cast<int64_t>(any.Varint())); break;
        case otlp_AnyValue_array_value_tag: {
          WireReader array = any.Message();
          text += '[';
          while (array.Next()) text += (text.back() == '[' ? "" : ",") + Value(array.Message());
          text += ']';
        }
      }
    }
    EXPECT_TRUE(any.status().ok());
    return text;
  }

  sim::SimFiles files_;
  std::vector<char> page_memory_ = std::vector<char>(JournalPages::kBytes);
  JournalPages pages_{files_, page_memory_};
  JournalFile journal_;
  std::vector<std::byte> memory_;
  std::optional<JournalRecord> record_;
  ReadRecord got_;
};

TEST_F(JournalRecordTest, MapsFields) {
  ASSERT_EQ(Read({"_BOOT_ID=b", "MESSAGE=hello\nworld", "PRIORITY=4", "_PID=42", "_COMM=sshd", "_EXE=/bin/sshd",
                  "_CMDLINE=sshd -D", "SYSLOG_IDENTIFIER=sshd", "SYSLOG_FACILITY=10", "SYSLOG_PID=41",
                  "_HOSTNAME=box", "_SYSTEMD_UNIT=ssh.service", "_SOURCE_REALTIME_TIMESTAMP=1600000000000001",
                  "_MACHINE_ID=m", "CODE_LINE=12", "CODE_FILE=a.c", "CODE_FUNC=main", "TID=9", "MY_FIELD=1"}),
            Outcome::kRead);
  EXPECT_EQ(got_.body, "hello\nworld");
  EXPECT_EQ(static_cast<int>(got_.severity), 13);
  EXPECT_EQ(got_.severity_text, "warning");
  EXPECT_EQ(got_.time.ns, 1'600'000'000'000'001'000);
  EXPECT_EQ(Attributes(), (std::vector<std::string>{
                              "code.file.path=a.c", "code.function.name=main", "code.line.number=#12",
                              "host.name=box", "journald._systemd_unit=ssh.service", "journald.my_field=1",
                              "process.command_line=sshd -D", "process.executable.name=sshd",
                              "process.executable.path=/bin/sshd", "process.pid=#42", "service.name=sshd",
                              "syslog.facility=#10", "syslog.procid=41", "thread.id=#9"}));
  EXPECT_FALSE(got_.truncated || got_.invalid_utf8 || got_.undecoded);
}

TEST_F(JournalRecordTest, WhatDoesNotSayWhatItShouldIsKeptAsText) {
  ASSERT_EQ(Read({"MESSAGE=", "PRIORITY=8", "_PID=x", "SYSLOG_FACILITY="}), Outcome::kRead);
  EXPECT_EQ(got_.body, "");
  EXPECT_EQ(got_.severity, Severity::kUnspecified);
  EXPECT_EQ(got_.time.ns, static_cast<int64_t>(kTime) * 1000);
  EXPECT_EQ(Attributes(), (std::vector<std::string>{"journald.priority=8", "process.pid=x", "syslog.facility="}));
}

TEST_F(JournalRecordTest, ManyValuesAreAnArray) {
  const std::string big(300, 'b');
  ASSERT_EQ(Read({"A=1", "B=2", "A=" + big, "C=3", "B=4", "A=5", "MESSAGE=m", "MESSAGE=n", "_PID=1", "_PID=2", "D=6"}),
            Outcome::kRead);
  EXPECT_EQ(got_.body, "m");
  EXPECT_EQ(Attributes(), (std::vector<std::string>{"journald.a=[1," + big + ",5]", "journald.b=[2,4]",
                                                    "journald.c=3", "journald.d=6", "journald.message=n",
                                                    "process.pid=[#1,#2]"}));
}

TEST_F(JournalRecordTest, RepairsUtf8) {
  ASSERT_EQ(Read({"MESSAGE=\xFF", JournalWriter::Data(std::string("A=x\xFFy\0\xE2\x82", 8)), "B=\xE2\x82\xAC"}), Outcome::kRead);
  EXPECT_EQ(got_.body, "\xFF") << "the pipeline repairs it";
  EXPECT_TRUE(got_.invalid_utf8);
  EXPECT_EQ(Attributes(), (std::vector<std::string>{
                              std::string("journald.a=x\xEF\xBF\xBDy\0\xEF\xBF\xBD", 20),
                              "journald.b=\xE2\x82\xAC"}));
  std::string all_bad(1000, '\xFF');
  ASSERT_EQ(Read({JournalWriter::Data("A=" + all_bad)}, {.field_bytes_max = 1000}), Outcome::kRead);
  EXPECT_EQ(Attributes()[0].size(), 11u + 3000);
}

TEST_F(JournalRecordTest, CutsWhatIsLarger) {
  const JournalRecord::Options options{.field_bytes_max = 10};
  ASSERT_EQ(Read({"MESSAGE=0123456789", "A=0123456789"}, options), Outcome::kRead);
  EXPECT_EQ(got_.body, "0123456789");
  EXPECT_FALSE(got_.truncated);
  ASSERT_EQ(Read({"MESSAGE=01234567\xE2\x82\xAC", "A=0123456789"}, options), Outcome::kRead);
  EXPECT_EQ(got_.body, "01234567") << "not within a letter";
  EXPECT_TRUE(got_.truncated);
  ASSERT_EQ(Read({JournalWriter::Data("A=" + std::string(200'000, 'a'))}, options), Outcome::kRead);
  EXPECT_EQ(Attributes(), (std::vector<std::string>{"journald.a=aaaaaaaaaa"}));
  EXPECT_TRUE(got_.truncated);
  Fields many;
  for (int i = 0; i < 200; ++i) many.push_back("F" + std::to_string(i) + "=" + std::string(300, 'x'));
  ASSERT_EQ(Read(many), Outcome::kRead);
  EXPECT_GT(Attributes().size(), 100u);
  EXPECT_LT(Attributes().size(), 105u);
  EXPECT_TRUE(got_.truncated);
}

TEST_F(JournalRecordTest, DecodesCompressedFields) {
  const std::string text(20'000, 'z');
  ASSERT_EQ(Read({{StoredZstd("MESSAGE=" + text), 4}, {Lz4("A=" + text), 2}}, {.field_bytes_max = 30'000}),
            Outcome::kRead);
  EXPECT_EQ(got_.body, text);
  EXPECT_EQ(Attributes(), (std::vector<std::string>{"journald.a=" + text}));
  EXPECT_FALSE(got_.undecoded || got_.truncated);

  // The beginning of an LZ4 field is enough; a zstd field has to fit.
  const std::string large(1'000'000, 'y');
  ASSERT_EQ(Read({{Lz4("MESSAGE=" + large), 2}, "A=1"}), Outcome::kRead);
  EXPECT_EQ(got_.body, large.substr(0, 16 * 1024));
  EXPECT_TRUE(got_.truncated && !got_.undecoded);
  std::string bomb("\x28\xB5\x2F\xFD\xA0", 5);  // One block of 100,000 times the same byte, 
  bomb += std::string("\xA0\x86\x01\x00", 4) + std::string("\x03\x35\x0C", 3) + "x";
  ASSERT_EQ(Read({{bomb, 4}, "A=1"}), Outcome::kRead);
  EXPECT_TRUE(got_.undecoded);
}

TEST_F(JournalRecordTest, MarksWhatCannotBeDecoded) {
  const std::string zstd = StoredZstd("MESSAGE=hello");
  const JournalWriter::Data cases[] = {
      {"\xFD" "7zXZ", 1},                          // xz
      {zstd.substr(0, zstd.size() - 1), 4},
      {"garbage", 4},
      {Lz4("MESSAGE=hello").substr(0, 12), 2},
      {"short", 2},
      {std::string(8, '\xFF') + "\x10" "a", 2},
      {std::string(40'000, 'q'), 4},
      {"no name", 0},
      {"=", 0},
      {"lower=1", 0},
      {std::string(65, 'N') + "=1", 0},
  };
  for (const JournalWriter::Data& data : cases) {
    SCOPED_TRACE(data.stored.substr(0, 20));
    ASSERT_EQ(Read({"PRIORITY=3", data, "B=2"}), Outcome::kRead);
    EXPECT_TRUE(got_.undecoded);
    EXPECT_EQ(got_.body, "");
    EXPECT_EQ(Attributes(), (std::vector<std::string>{"journald.b=2"}));
  }
  EXPECT_EQ(Read(Fields{{"\xFD" "7zXZ", 1}}), Outcome::kRead) << "it is an entry, though nothing is known of it";
  JournalWriter writer;
  writer.Append(7, kTime, {"MESSAGE=a"});
  writer.bytes[writer.data.at("MESSAGE=a")] = 0;
  EXPECT_EQ(Read(writer), Outcome::kDamaged);
}

TEST_F(JournalRecordTest, Filters) {
  struct Case { const char* units; uint8_t priority; const char* unit; const char* level; bool read; };
  constexpr Case cases[] = {
      {"", 7, "A=b", "PRIORITY=7", true},
      {"", 4, "A=b", "PRIORITY=4", true},
      {"", 4, "A=b", "PRIORITY=5", false},
      {"", 0, "A=b", "C=d", true},
      {"ssh", 7, "_SYSTEMD_UNIT=ssh.service", "PRIORITY=6", true},
      {"ssh", 7, "_SYSTEMD_UNIT=ssh.socket", "PRIORITY=6", false},
      {"ssh", 7, "_SYSTEMD_UNIT=sshd.service", "PRIORITY=6", false},
      {"ssh.socket", 7, "_SYSTEMD_UNIT=ssh.socket", "PRIORITY=6", true},
      {"a, ss*", 7, "_SYSTEMD_UNIT=ssh.socket", "PRIORITY=6", true},
      {"a, ss*", 5, "_SYSTEMD_UNIT=ssh.socket", "PRIORITY=6", false},
      {"*", 7, "A=b", "PRIORITY=6", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.units) + " " + c.unit + " " + c.level);
    EXPECT_EQ(Read({c.unit, "MESSAGE=m", c.level}, {.units = c.units, .priority = c.priority}),
              c.read ? Outcome::kRead : Outcome::kFiltered);
  }
}

}  // namespace
}  // namespace limpet
