// An entry of the journal as a record: its fields decoded, named as the semantic conventions have it
// (docs/logs.md), and encoded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "logs/journal_file.h"
#include "logs/read_record.h"
#include "logs/zstd.h"
#include "otlp/wire_writer.h"

namespace limpet {

class JournalRecord {
 public:
  static constexpr size_t kNameMax = 64;                 // Of a field; journald takes no longer ones.
  static constexpr size_t kStoredBytes = 32 * 1024;      // Of a compressed field; larger: undecoded.
  static constexpr size_t kPlainBytes = 64 * 1024;       // Of a zstd field, likewise.
  static constexpr size_t kAttributeBytes = 32 * 1024;   // What does not fit is left out: truncated.
  static constexpr size_t kAttributesMax = 128;

  struct Options {
    std::string_view units;         ///< Globs by comma, of _SYSTEMD_UNIT; empty: all.
    uint8_t priority = 7;           ///< This and more severe, and what has none.
    size_t field_bytes_max = 16 * 1024;  ///< Of a value; longer: cut, truncated.
  };

  static size_t BytesNeeded(size_t field_bytes_max);

  /// memory: BytesNeeded() bytes, owned by the caller for this one's life.
  JournalRecord(std::span<std::byte> memory, const Options& options);

  enum class Outcome : uint8_t {
    kRead,
    kFiltered,  ///< Neither of these units, or less severe.
    kDamaged,   ///< Not one field of it can be read.
  };
  /// Reads the entry's fields. The record's texts hold until the next call.
  Outcome Read(JournalFile& file, const JournalEntry& entry, ReadRecord& record);

 private:
  struct Seen {  // An attribute: where it stands in attributes_.
    size_t begin, end, key, key_bytes, value;  // value: of the contents of its AnyValue or ArrayValue.
    bool array;
  };

  /// "NAME=value", in memory of this; cut where it is longer than field_bytes_max.
  Result<std::string_view> Text(JournalFile& file, const JournalEntry& entry, uint32_t index, bool& cut);
  void Take(std::string_view name, std::string_view value, bool cut, ReadRecord& record);
  void AddText(std::string_view key, std::string_view value, ReadRecord& record);
  void AddNumber(std::string_view key, int64_t value, ReadRecord& record);
  void Add(std::string_view key, std::span<const uint8_t> value, ReadRecord& record);
  void AddToArray(Seen& seen, std::span<const uint8_t> value, ReadRecord& record);
  bool Wanted() const;

  const Options options_;
  const std::span<uint8_t> stored_, plain_, body_, value_, attributes_;
  ZstdDecompressor zstd_;
  WireWriter out_;

  std::array<Seen, kAttributesMax> seen_;
  size_t seen_count_ = 0;
  std::array<char, 256> unit_{};  // The beginning of _SYSTEMD_UNIT.
  size_t unit_bytes_ = 0;
  bool has_body_ = false;
  int priority_ = -1;
};

}  // namespace limpet
