// The attempts that a restart has to know of, per signal: how often the head of a line was tried, and
// where an attempt was begun whose outcome is not known. They are the loop's, and each transaction
// writes them into the table `state`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "limpet/batch.h"
#include "spool/job.h"

namespace limpet {

/// The two ways out of a signal with `order = live_first`; with `strict` all is kOldest.
enum class Lane : uint8_t {
  kOldest,  ///< What was collected first: the backlog, and all there is where there is none.
  kLive,    ///< What came in since, ahead of a backlog.
};
inline constexpr size_t kLaneCount = 2;

class AttemptBook {
 public:
  /// What an earlier process left: its open attempts stay so until their batches are done with.
  void TakeOver(const TriedRows& found);
  /// What flash says now that it was opened again.
  void Reopened(const TriedRows& found);

  /// An attempt begins. row: of the batch, 0 while there is none for certain. done: every row up to
  /// there is done with. False: there is no place, since as many others are open.
  bool Open(const BatchHeader& header, SpoolRow row, Lane lane, std::string_view destination, SpoolRow done);
  /// Its outcome is known.
  void Close(Signal signal, Lane lane);
  /// Flash has the open attempt at the batch, or (writing) the transaction under way brings it there.
  bool OnFlash(const BatchHeader& header) const;
  bool Writing(const BatchHeader& header) const;
  /// Where an earlier process left one open for the batch; empty: nowhere.
  std::string_view Earlier(Signal signal, SpoolRow row) const;

  /// How often the batch was tried.
  void Count(const BatchHeader& header, SpoolRow row, Lane lane, SpoolRow done);
  /// The batch is given a row, or (0) has it no more.
  void SetRow(const BatchHeader& header, SpoolRow row);
  /// The batch is done with.
  void Forget(const BatchHeader& header, SpoolRow row);

  /// For the transaction that begins, and how it ended.
  void WriteTo(TriedRows& rows);
  void Written(bool well);

 private:
  /// Known by its row once it has one, and by its identity before that; neither: free.
  struct Attempt {
    TriedRow tried;
    uint64_t start = 0, sequence = 0;
    BisectPath path;
    bool earlier = false;   // Begun by another process.
    bool writing = false;   // As it is here, open, in the transaction under way,
    bool on_flash = false;  // and on flash.
  };
  static constexpr size_t kNone = kTriedMax;
  static bool Is(const Attempt& attempt, const BatchHeader& header, SpoolRow row);
  size_t Find(const BatchHeader& header, SpoolRow row) const;
  size_t Take(const BatchHeader& header, SpoolRow row, Lane lane, SpoolRow done);

  std::array<std::array<Attempt, kTriedMax>, kSignalCount> attempts_;
  std::array<std::array<size_t, kLaneCount>, kSignalCount> current_{};  // Of each lane: place + 1, 0 none.
};

}  // namespace limpet
