// What every record of one source goes through between being read and being written: severity_min,
// include_records, exclude_records, rate_limit, redact, repair of UTF-8, the attributes of the section, the
// marks, the uid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "batch/log_encoder.h"
#include "config/config.h"
#include "logs/logged_view.h"
#include "logs/pattern.h"
#include "logs/read_record.h"
#include "otlp/wire_reader.h"

namespace limpet {

/// Bytes of log.record.uid: a ULID in Crockford's base 32.
inline constexpr size_t kUlidBytes = 26;
void WriteUlid(const RecordUid& uid, char* out);

class RecordPipeline {
 public:
  /// What came of a record.
  enum class Outcome : uint8_t {
    kWritten,
    kFiltered,  ///< Left out: it never enters the ledger.
    kLimited,   ///< More than rate_limit: counted as collected and dropped.
    kDropped,   ///< Larger than a batch: likewise.
  };

  /// All outlive it. The last two may be other pipelines' as well, and are free between two records.
  struct Memory {
    std::span<uint8_t> attributes;  ///< AttributeBytes, its own.
    /// Takes a text that has to be changed, and cuts it to its size: max_line at least.
    std::span<char> body;
    /// Takes the attributes of a record with `redact`; when they do not fit they are left out, and the
    /// record is marked as truncated.
    std::span<uint8_t> redacted;
  };
  static size_t AttributeBytes(const LogConfig& config);
  /// How many it compiles.
  static size_t PatternCount(const LogConfig& config);

  RecordPipeline(const LogConfig& config, bool record_uid, const Memory& memory);

  /// Before the first record, where there are patterns.
  /// kInvalid, kUnsupported: what the check of the configuration refuses as well.
  Status Compile(const LogConfig& config, PatternPool& pool);

  /// Between logs.Begin and logs.Finish. now: as given to Begin.
  Outcome Write(const ReadRecord& record, const Stamp& now, LogEncoder& logs);

  /// All of it but what the source itself knows: lost, open.
  const LoggedView& use() const { return use_; }

 private:
  enum Mark : uint8_t { kTruncated, kInvalidUtf8, kUndecoded };
  static constexpr size_t kMarkCount = 3;

  bool Filtered(const ReadRecord& record);
  bool IsOurs(std::string_view key, std::span<const uint8_t> origin, std::span<const uint8_t> ours) const;
  bool WithinRate(MonoTime now);
  bool Redact(std::string_view text, std::string_view& redacted);
  bool Repair(std::string_view text, size_t& size);
  void Redact(WireReader in, int message, WireWriter& out);
  std::span<const uint8_t> Redact(std::span<const uint8_t> attributes);

  const Severity severity_min_;
  const bool record_uid_;
  const std::span<char> body_;
  const std::span<uint8_t> redacted_;
  Pattern include_, exclude_, redact_;
  std::array<bool, kMarkCount> marked_{};  // Of the record at hand,
  std::array<std::span<const uint8_t>, 16> parts_;  // and its attributes.

  // What stands behind the attributes of each record, encoded: those of the section, the uid, marks.
  const std::span<uint8_t> attributes_;
  size_t section_bytes_ = 0, uid_end_ = 0;

  // The bucket holds the records of one second at most, each kSecond of it.
  const uint64_t rate_limit_;  // 0 = none.
  uint64_t bucket_;
  MonoTime filled_;

  LoggedView use_;
};

}  // namespace limpet
