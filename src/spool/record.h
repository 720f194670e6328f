// A batch as a row: its header as columns, its checksum, its bytes through a blob in pieces.
#pragma once

#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "spool/job.h"
#include "spool/sqlite.h"

namespace limpet {

/// What a row says of a batch; checkpoints and bytes are its blob, one after the other.
struct Record {
  SpoolRow row = 0;
  BatchHeader header;
  uint32_t checksum = 0;
  uint32_t blob_bytes() const { return header.checkpoint_bytes + header.stored_bytes; }
};

/// CRC-32 over the header's fields that never change, as 64-bit little-endian numbers in the order of
/// the columns, then the boot id, and then checkpoints and bytes.
uint32_t RecordChecksum(const BatchHeader& header, const Body& blob);

/// Binds row (parameter 1) and the header's columns behind it; returns the next parameter.
int BindRecord(Statement& statement, const Record& record);

/// The row itself is damaged, not the file around it: kInvalid without a code of SQLite behind it.
inline bool IsDamagedRow(const Status& status) {
  return status.code == Code::kInvalid && status.detail == 0;
}

/// Reads columns 0 (row) and the header's. IsDamagedRow: a value that no batch has.
Status ReadRecordRow(const Statement& statement, Signal signal, Record& record);

/// Writes a blob of the row from its pieces.
Status WriteBlob(Database& db, const char* table, SpoolRow row, const Body& blob);

/// Reads the row's blob into `into`, which it must fill, and compares the checksum.
/// IsDamagedRow: it is not what was stored.
Status ReadBlob(Database& db, const char* table, const Record& record, std::span<uint8_t> into);

}  // namespace limpet
