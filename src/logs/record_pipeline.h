// What every record of one source goes through between being read and being written: severity_min,
// rate_limit, repair of UTF-8, the attributes of the section, the marks, the uid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "batch/log_encoder.h"
#include "config/config.h"
#include "logs/read_record.h"

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

  /// Marked records, as limpet_records_marked_total counts them: those that were written.
  struct Marks {
    uint64_t truncated = 0, invalid_utf8 = 0, undecoded = 0;
  };

  /// Both outlive it.
  struct Memory {
    std::span<uint8_t> attributes;  ///< AttributeBytes, its own.
    /// Takes a body that has to be changed, and cuts it to its size: max_line at least. It may be
    /// another pipeline's as well, and is free between two records.
    std::span<char> body;
  };
  static size_t AttributeBytes(const LogConfig& config);

  RecordPipeline(const LogConfig& config, bool record_uid, const Memory& memory);

  /// Between logs.Begin and logs.Finish. now: as given to Begin.
  Outcome Write(const ReadRecord& record, const Stamp& now, LogEncoder& logs);

  const Marks& marks() const { return marks_; }

 private:
  enum Mark : uint8_t { kTruncated, kInvalidUtf8, kUndecoded };
  static constexpr size_t kMarkCount = 3;

  bool WithinRate(MonoTime now);

  const Severity severity_min_;
  const bool record_uid_;
  const std::span<char> body_;

  // What stands behind the attributes of each record, encoded: those of the section, the uid, marks.
  const std::span<uint8_t> attributes_;
  size_t section_bytes_ = 0, uid_end_ = 0;

  // The bucket holds the records of one second at most, each kSecond of it.
  const uint64_t rate_limit_;  // 0 = none.
  uint64_t bucket_;
  MonoTime filled_;

  Marks marks_;
};

}  // namespace limpet
