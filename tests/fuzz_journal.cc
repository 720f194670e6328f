// Fuzzes the journal: the first byte says where reading begins, the rest is a file. What comes of it is in
// order and valid, and reading it ends.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "logs/journal_reader.h"
#include "logs/journal_record.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

constexpr std::string_view kFolder = "/j", kName = "a@b.journal";

class OneFile final : public Files {
 public:
  explicit OneFile(std::span<const char> bytes) : bytes_(bytes) {}
  Result<int> Open(std::string_view) override { return ++open_, 3; }
  Result<size_t> ReadAt(int, uint64_t offset, std::span<char> into) override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t count = std::min(into.size(), bytes_.size() - static_cast<size_t>(offset));
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
    return count;
  }
  void Close(int) override { --open_; }
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Status ListNames(std::string_view, NameSink& sink) override {
    sink.OnName(kName);
    return {};
  }
  Result<std::string_view> ReadLink(std::string_view, std::span<char>) override {
    return {Code::kInvalid, 0, "no link"};
  }
  int open() const { return open_; }

 private:
  const std::span<const char> bytes_;
  int open_ = 0;
};

class NoLog final : public Log {
 public:
  void Write(Level, const char*, std::initializer_list<LogField>) override {}
};

void CheckValue(WireReader any) {
  while (any.Next()) {
    if (any.type() == WireType::kVarint) continue;
    if (any.field() == 1) {
      LIMPET_CHECK(IsUtf8(any.String()));
      continue;
    }
    for (WireReader array = any.Message(); array.Next();) CheckValue(array.Message());
  }
  LIMPET_CHECK(any.status().ok());
}

void Check(const ReadRecord& record, const JournalRecord::Options& options) {
  LIMPET_CHECK(record.body.size() <= options.field_bytes_max);
  std::vector<std::string_view> keys;
  WireReader attributes(record.attributes);
  while (attributes.Next()) {
    WireReader attribute = attributes.Message();
    while (attribute.Next()) {
      if (attribute.field() == 1) {
        keys.push_back(attribute.String());
      } else {
        CheckValue(attribute.Message());
      }
    }
    LIMPET_CHECK(attribute.status().ok());
  }
  LIMPET_CHECK(attributes.status().ok());
  std::sort(keys.begin(), keys.end());
  LIMPET_CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  if (size == 0) return 0;
  const uint8_t begin = data[0];
  // A copy of its own, so that a read behind the end is seen.
  const std::vector<char> bytes(data + 1, data + size);
  OneFile files(bytes);
  NoLog log;
  std::vector<char> pages(2 * JournalPages::kPageBytes);
  const JournalRecord::Options options{.field_bytes_max = 512};
  static std::vector<std::byte> memory(JournalRecord::BytesNeeded(options.field_bytes_max));
  const auto records = std::make_unique<JournalRecord>(memory, options);
  {
    const auto reader = std::make_unique<JournalReader>(
        files, log, pages, JournalReader::Options{.directories = kFolder, .from_beginning = true});
    if (begin != 0 && bytes.size() >= 88) {
      JournalId id;
      std::copy_n(bytes.begin() + 72, id.size(), id.begin());
      reader->Resume(id, begin);
    }
    uint64_t last = 0;
    size_t polls = 0;
    do {
      reader->Poll(MonoTime{1});
      JournalFile* file = nullptr;
      JournalEntry entry;
      while (reader->Next(file, entry)) {
        LIMPET_CHECK(entry.seqnum > last && entry.seqnum > begin);
        last = entry.seqnum;
        ReadRecord record;
        if (records->Read(*file, entry, record) == JournalRecord::Outcome::kRead) Check(record, options);
      }
      // Each entry takes 64 bytes of the file at least, and 1000 of them one turn at most.
      LIMPET_CHECK(++polls <= 2 + bytes.size() / 64);
    } while (reader->busy());
  }
  LIMPET_CHECK(files.open() == 0);
  return 0;
}
