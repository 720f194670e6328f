// Reads the journal of a folder for tests: `journal-tool FOLDER` prints each entry as a line of JSON, as
// limpet would send it. Texts that need not be UTF-8 are in hex.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "logs/journal_reader.h"
#include "logs/journal_record.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"
#include "port/linux/files.h"

namespace limpet {
namespace {

class PrintedLog final : public Log {
 public:
  void Write(Level, const char* message, std::initializer_list<LogField> fields) override {
    std::fprintf(stderr, "%s", message);
    for (const LogField& f : fields) std::fprintf(stderr, " %.*s", static_cast<int>(f.text.size()), f.text.data());
    std::fprintf(stderr, "\n");
  }
};

std::string Hex(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : text) {
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return hex;
}

std::string Value(WireReader any) {
  std::string out;
  while (any.Next()) {
    switch (any.field()) {
      case otlp_AnyValue_string_value_tag: out += '"' + Hex(any.String()) + '"'; break;
      case otlp_AnyValue_int_value_tag: out += std::to_string(static_cast<int64_t>(any.Varint())); break;
      default: {
        WireReader array = any.Message();
        out += '[';
        while (array.Next()) out += (out.back() == '[' ? "" : ",") + Value(array.Message());
        out += ']';
      }
    }
  }
  LIMPET_CHECK(any.status().ok());
  return out;
}

void Print(const JournalReader::Position& position, const ReadRecord& record) {
  std::string out = "{\"seqnum\":" + std::to_string(position.seqnum);
  out += ",\"seqnum_id\":\"" + Hex({reinterpret_cast<const char*>(position.seqnum_id.data()), 16}) + '"';
  out += ",\"time\":" + std::to_string(record.time.ns);
  out += ",\"severity\":" + std::to_string(static_cast<int>(record.severity));
  out += ",\"body\":\"" + Hex(record.body) + "\",\"attributes\":{";
  WireReader attributes(record.attributes);
  while (attributes.Next()) {
    WireReader attribute = attributes.Message();
    std::string key, value;
    while (attribute.Next()) {
      if (attribute.field() == otlp_KeyValue_key_tag) {
        key = attribute.String();
      } else {
        value = Value(attribute.Message());
      }
    }
    out += (out.back() == '{' ? "\"" : ",\"") + key + "\":" + value;
  }
  LIMPET_CHECK(attributes.status().ok());
  out += "}";
  if (record.truncated) out += ",\"truncated\":true";
  if (record.invalid_utf8) out += ",\"invalid_utf8\":true";
  if (record.undecoded) out += ",\"undecoded\":true";
  std::printf("%s}\n", out.c_str());
}

int Run(const char* folder) {
  LinuxFiles files;
  PrintedLog log;
  std::vector<char> pages(JournalPages::kBytes);
  const JournalRecord::Options options;
  std::vector<std::byte> memory(JournalRecord::BytesNeeded(options.field_bytes_max));
  static JournalRecord records(memory, options);
  static JournalReader reader(files, log, pages, {.directories = folder, .from_beginning = true});
  do {
    reader.Poll(MonoTime{1});
    JournalFile* file = nullptr;
    JournalEntry entry;
    while (reader.Next(file, entry)) {
      ReadRecord record;
      if (records.Read(*file, entry, record) == JournalRecord::Outcome::kRead) Print(reader.position(), record);
    }
  } while (reader.busy());
  std::fprintf(stderr, "damaged %" PRIu64 " missing %" PRIu64 "\n", reader.counts().damaged, reader.counts().missing);
  std::fflush(stdout);
  std::_Exit(0);  // What the reader refers to ends before it.
}

}  // namespace
}  // namespace limpet

int main(int argc, char** argv) { return argc == 2 ? limpet::Run(argv[1]) : 64; }
