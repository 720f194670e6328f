// What every record of one source goes through between being read and being written: severity_min,
// include_records, exclude_records, rate_limit, redact, repair of UTF-8, the attributes of the section,
// the marks, the uid.
#pragma once

#include <cstdint>
#include <span>

#include "batch/log_encoder.h"
#include "config/config.h"
#include "logs/read_record.h"

namespace limpet {

class RecordPipeline {
 public:
  /// What came of a record.
  enum class Outcome : uint8_t {
    kWritten,
    kFiltered,  ///< Left out: it never enters the ledger.
    kLimited,   ///< More than rate_limit: counted as collected and dropped.
    kDropped,   ///< Larger than a batch: likewise.
  };

  /// Marked records, as limpet_records_marked_total counts them.
  struct Marks {
    uint64_t truncated = 0, invalid_utf8 = 0, undecoded = 0;
  };

  /// Between logs.Begin and logs.Finish. now: as given to Begin.
  Outcome Write(const ReadRecord& record, const Stamp& now, LogEncoder& logs);

  const Marks& marks() const { return marks_; }

 private:
  Marks marks_;
};

}  // namespace limpet
