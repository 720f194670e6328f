// The table `state`: the numbers that change with every transaction, on one page on purpose.
#pragma once

#include <array>
#include <cstdint>

#include "spool/job.h"
#include "spool/sqlite.h"

namespace limpet {

/// What lies in `state`.
struct SpoolState {
  KeptAccount account;  ///< `dead` of each signal is what lies in the table `dead`.
  SignalTotals totals{};                        ///< Of the rows behind `done`.
  std::array<SpoolRow, kSignalCount> done{};
  std::array<uint64_t, kSignalCount> done_bytes{};  ///< Not in the table: of the rows up to there.
  TriedRows tried{};
  uint64_t dead_bytes = 0;
  uint64_t written_bytes = 0;                   ///< By all processes so far.
  SpoolRow next_row = 1;
  int64_t last_commit = 0;                      ///< Wall time, unix ns.
  uint64_t clean = 0;                           ///< 1: the last process ended in order.
  ShortText<40> instance;
};

/// Reads the table. Names it does not know are passed over. kInvalid: damaged, or `checksum` says so;
/// with `sound` that is no failure, but told there, for whoever only looks.
Status LoadState(Database& db, SpoolState& state, bool* sound = nullptr);

/// Gives the batch of that row the attempts that it has had.
void ApplyAttempts(const SpoolState& state, SpoolRow row, BatchHeader& header);

/// Writes what differs from `saved`.
Status SaveState(Database& db, const SpoolState& state, const SpoolState& saved);

}  // namespace limpet
