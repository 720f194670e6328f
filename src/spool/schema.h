// The tables of the spool's database, as SQL. docs/spool.md explains each.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/batch.h"

namespace limpet {

inline constexpr std::string_view kSpoolFile = "spool.db";
inline constexpr std::string_view kSpoolJournal = "spool.db-journal";
inline constexpr std::string_view kSpoolWal = "spool.db-wal";

/// A damaged one, until what reads is copied; then it becomes spool.db.damaged-1.
inline constexpr std::string_view kSpoolSalvage = "spool.db.salvage";

inline constexpr int64_t kSpoolApplication = 0x6c6d7074;  ///< PRAGMA application_id: "lmpt".
inline constexpr int64_t kSpoolSchema = 2;                ///< PRAGMA user_version.
inline constexpr size_t kSpoolPageBytes = 1024;

/// What turns schema i into i + 1; the first makes everything.
std::span<const char* const> SpoolMigrations();

/// The columns of a batch behind its row, in the order of RecordHeader (record.h).
inline constexpr std::string_view kRecordColumns =
    "start,sequence,path_bits,path_length,encoding,trust,items,raw_bytes,stored_bytes,"
    "checkpoint_bytes,boot,first_mono,last_mono,first_wall,last_wall,attempts,first_attempt,"
    "may_be_sent,checksum";
inline constexpr int kRecordColumnCount = 19;

/// The table with the batches of a signal: its name. Dead letters are in "dead".
inline std::string_view SpoolTable(Signal signal) { return SignalName(signal); }

}  // namespace limpet
