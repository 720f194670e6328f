// What the loop asks of the spool's worker, and what came of it: one job at a time, one transaction
// a job. Everything in it is the loop's before Worker::Begin and after TakeDone, and the worker's in
// between.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ledger/ledger.h"
#include "limpet/batch.h"
#include "limpet/limits.h"
#include "limpet/pool.h"
#include "limpet/status.h"
#include "limpet/time.h"
#include "limpet/tracks.h"

namespace limpet {

/// The number of a batch in the spool: in the order of collection over all signals, from 1, never
/// given twice. 0: none.
using SpoolRow = uint64_t;

/// A short text that can be copied.
template <size_t N>
class ShortText {
 public:
  ShortText() = default;
  explicit ShortText(std::string_view text) { *this = text; }
  /// Longer ones are cut.
  ShortText& operator=(std::string_view text) {
    size_ = text.copy(bytes_.data(), N);
    return *this;
  }
  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, N> bytes_{};
  size_t size_ = 0;
};

inline constexpr size_t kSpoolAddsMax = 64;     // Batches of one transaction.
inline constexpr size_t kSpoolReadsMax = 32;    // Batches read back in one job.
inline constexpr size_t kSpoolBuriesMax = 8;    // Refused batches of one transaction.
inline constexpr size_t kSpoolDoneRowsMax = 32; // Taken out of the middle of a line in one transaction.
inline constexpr size_t kSpoolLiveMax = 32;     // Of a signal, in memory to overtake its backlog.
inline constexpr size_t kSpoolTracksMax = 64;   // Changed by one transaction, besides what batches move on.
inline constexpr size_t kSpoolDeadRowsMax = 32; // Named by one `limpet dead retry`.

/// A batch of the spool that has been tried. It stands in the state and not in its row, since that would
/// be written anew with all its bytes.
struct TriedRow {
  SpoolRow row = 0;
  uint64_t attempts = 0;
  uint64_t first_attempt = 0;  ///< Wall time, unix ns.
  uint64_t open = 0;           ///< 1: an attempt was begun whose outcome is not known,
  ShortText<32> destination;   ///< there.
};
inline constexpr size_t kTriedOldest = 2;  // For the oldest of a line, one at a time, and for
inline constexpr size_t kTriedMax = 5;     // what goes ahead of it: one, and what crashes left open.
using TriedRows = std::array<std::array<TriedRow, kTriedMax>, kSignalCount>;

/// What all of a signal's batches in the spool come to, without those that are done with.
struct SpoolTotals {
  uint64_t batches = 0, items = 0, bytes = 0;
};
using SignalTotals = std::array<SpoolTotals, kSignalCount>;

/// The part of the account that is kept over a restart. `collected` is not: it is what the others and
/// what is held come to, since what was never committed never entered.
struct KeptAccount {
  /// What a section of the configuration has had, or is known of the boot. It only informs: no item depends on it.
  struct Section {
    static constexpr size_t kCountsMax = 2 * kSignalCount;
    ShortText<44> name;  ///< "destination.primary", "log.app", "boot".
    /// Of a destination for each signal what was delivered and rejected; of logs kKeptOfLogs; of the boot what
    /// its counters count from (unix ns), and 126 bits of its id.
    std::array<uint64_t, kCountsMax> counts{};
  };
  std::array<Account, kSignalCount> accounts{};
  std::array<Section, kDestinationsMax + kLogSourcesMax + 1> sections;
  size_t section_count = 0;

  /// nullptr: it has none.
  const Section* Find(std::string_view name) const {
    const auto end = sections.begin() + section_count;
    const auto found = std::find_if(sections.begin(), end, [&](const Section& s) { return s.name.text() == name; });
    return found != end ? &*found : nullptr;
  }
  /// Made where it has none. nullptr: there are too many.
  Section* At(std::string_view name) {
    if (const Section* const known = Find(name)) return &sections[static_cast<size_t>(known - sections.data())];
    if (section_count == sections.size()) return nullptr;
    Section& made = sections[section_count++];
    made = {};
    made.name = name;
    return &made;
  }
};

struct SpoolAdd {
  SpoolRow row = 0;
  BatchHeader header;
  const Body* record = nullptr;  ///< Marks and bytes, of a pinned batch. The marks move their tracks on.
};

/// A batch of the spool.
struct SpoolPlace {
  Signal signal = Signal::kMetrics;
  SpoolRow row = 0;
};

/// A refused batch that becomes a dead letter: one of the spool, or one that was only in memory.
struct SpoolBury {
  Signal signal = Signal::kMetrics;
  SpoolRow row = 0;              ///< In the spool; of a batch in memory, a new number.
  bool in_memory = false;
  bool alone = false;            ///< In the spool, and others before it in its line are held.
  BatchHeader header;            ///< For in_memory.
  const Body* record = nullptr;  ///< Likewise.
  ShortText<32> destination;
  ShortText<200> answer;        ///< "400: the destination does not want these bytes (...)".
};

/// A batch read back; its record lies in the store's buffer.
struct SpoolRead {
  SpoolRow row = 0;
  BatchHeader header;
  std::span<const uint8_t> marks, bytes;
};

/// What was found when the database was opened.
struct SpoolOpened {
  bool fresh = false;         ///< There was none, it was set aside, or no job ever committed to it.
  bool clean = false;         ///< The process before this one ended in order.
  bool salvaged = false;      ///< Another was damaged: what could be read was copied out of it.
  std::array<uint64_t, kSignalCount> salvage_lost{};  ///< Items that it held and that did not read.
  bool loss_unknown = false;  ///< Salvaged, but it did not say what it held.
  bool newer_set_aside = false;  ///< One of a newer limpet was there: spool.db.newer-N.
  SignalTotals totals{};
  ShortText<40> instance;    ///< As kept; empty in a fresh one.
  KeptAccount account;        ///< `dead` of each signal is what lies there.
  std::array<SpoolRow, kSignalCount> done_through{};
  TriedRows tried{};
  SpoolRow next_row = 1;
  std::array<uint64_t, kSignalCount> room_bytes{};  ///< As SpoolJob::room_bytes.
  UnixTime last_commit;       ///< Of the process before.
};

enum class DeadAction : uint8_t { kNone, kRetry, kPurge };

struct SpoolJob {
  // Asked for.
  bool open = false;    ///< Open it first; it is closed.
  bool write = false;   ///< A transaction; without it only what is to be read is done.
  bool last = false;    ///< Of this process: leaves the mark of a clean stop.
  bool shrink = false;  ///< Give free pages back to the filesystem.
  bool measure = false; ///< Say how much room there is, which a transaction does anyway.

  std::array<SpoolAdd, kSpoolAddsMax> adds;
  size_t add_count = 0;
  std::array<SpoolBury, kSpoolBuriesMax> buries;
  size_t bury_count = 0;
  std::array<TrackChange, kSpoolTracksMax> tracks;
  size_t track_count = 0;
  /// Per signal: every batch up to here is done with.
  std::array<SpoolRow, kSignalCount> done_through{};
  /// Batches behind that which are done with as well.
  std::array<SpoolPlace, kSpoolDoneRowsMax> done_rows;
  size_t done_row_count = 0;
  /// Per signal: no batch up to here, and none from there on (0: nowhere), may be dropped: they are in
  /// memory and may be on their way.
  std::array<SpoolRow, kSignalCount> keep_through{}, keep_from{};
  TriedRows tried{};  ///< Where it names a row; the others stay as they are.
  KeptAccount account;
  SpoolRow next_row = 1;
  ShortText<40> instance;
  BootId boot;
  MonoTime mono;
  UnixTime wall;

  DeadAction dead_action = DeadAction::kNone;
  std::array<SpoolRow, kSpoolDeadRowsMax> dead_rows{};  ///< None: all of them.
  size_t dead_row_count = 0;

  bool read = false;
  Signal read_signal = Signal::kMetrics;
  SpoolRow read_after = 0;
  /// Passed over by that: what is in memory to go out first, and what is done with.
  std::array<SpoolRow, kSpoolLiveMax + 2 + kSpoolDoneRowsMax + kSpoolBuriesMax> read_past;
  size_t read_past_count = 0;

  bool read_tracks = false;
  TrackId tracks_after = 0;

  uint64_t file_offset = 0;  ///< Bytes of the file for a command, when file_bytes > 0.
  std::span<uint8_t> file_into;

  // What came of it. Counts are of what was committed: all zero when `status` says that it failed.
  Status status;
  SpoolOpened opened;
  bool was_opened = false;
  std::array<bool, kSpoolAddsMax> added{};    ///< False: there was no room.
  std::array<bool, kSpoolAddsMax> refused{};  ///< And it is to be dropped; otherwise it waits in memory.
  struct Lost {
    uint64_t batches = 0, items = 0;
    UnixTime first, last;  ///< Of their collection.
  };
  std::array<std::array<Lost, kDropReasonCount>, kSignalCount> lost{};  ///< Held before, now dropped.
  std::array<uint64_t, kSignalCount> refused_items{}; ///< Of adds that are refused (drop_newest).
  std::array<uint64_t, kSignalCount> buried_items{};  ///< Became dead letters.
  std::array<uint64_t, kSignalCount> buried_rows_items{};  ///< Of them, those that lay in the spool.
  std::array<uint64_t, kSignalCount> dead_overflow_items{}, purged_items{}, retried_items{};
  uint64_t dead_changed = 0;                          ///< Letters that retry or purge moved.
  bool full = false;   ///< There is hardly room left, or none: `max_size` or `min_free`.
  /// After a transaction, or asked for: what more batches of a signal may take before anything is dropped,
  /// or the share of another signal is touched.
  std::array<uint64_t, kSignalCount> room_bytes{};
  SignalTotals totals;
  std::array<uint64_t, kSignalCount> dead_items{};
  std::array<SpoolRead, kSpoolReadsMax> reads;
  size_t read_count = 0;
  std::array<KeptTrack, kSpoolTracksMax> tracks_read;
  size_t tracks_read_count = 0;  ///< Fewer than that: there are no more.
  size_t file_got = 0;
  uint64_t file_size = 0;
  uint64_t bytes = 0;          ///< Of all files.
  uint64_t written_bytes = 0;  ///< By all processes so far.
  PoolUse heap;                ///< SQLite's.
  uint64_t generation = 0;     ///< Changes with every transaction.
  uint64_t damaged = 0;        ///< Records and files set aside since start.
  Duration took;               ///< Of the transaction.
};

}  // namespace limpet
