// Reads the journal: the files of all its directories as one row of entries, in order of their sequence
// numbers. It follows files that are renamed, set aside, removed, and begun.
//
// Files with the same seqnum_id were written by one journald; they share a row of sequence numbers, a
// track. Between tracks the time of the entries decides.
//
// J1  Of a track, an entry is handed out only after all entries with lower numbers that can be read: only up
//     to the highest number that was seen before all its files were looked at (the horizon), and only after
//     a new look for files where a number is missing.
// J2  A track's position never goes back: no entry is handed out twice.
// J3  A file is held open until it is read to its end, so what journald removes meanwhile is not lost.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "limpet/file_watch.h"
#include "limpet/files.h"
#include "limpet/log.h"
#include "limpet/time.h"
#include "logs/journal_file.h"

namespace limpet {

inline constexpr size_t kJournalFilesMax = 64;   // Held open: not read to their end, or still written.
inline constexpr size_t kJournalTracksMax = 16;

class JournalReader {
 public:
  struct Options {
    std::string_view directories;  ///< By comma; their folders with the name of a machine-id as well.
    bool from_beginning = false;   ///< At the very first start.
    Duration discover = Seconds(10);
    FileWatch* watch = nullptr;    ///< nullptr: files are asked.
  };
  /// How far a track has been read.
  struct Position {
    JournalId seqnum_id{};
    uint64_t seqnum = 0;
  };
  struct Counts {
    uint64_t damaged = 0;  ///< Entries that were passed over.
    uint64_t missing = 0;  ///< Numbers without an entry: removed before they were read, or damaged.
  };

  /// pages: JournalPages::kBytes or fewer, see there. All outlive it.
  JournalReader(Files& files, Log& log, std::span<char> pages, const Options& options);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  /// Before the first Poll: what was read before. With one call at least it is not the very first start: what
  /// has no position is then read from its beginning. An id of zeros: nothing had been read.
  void Resume(const JournalId& seqnum_id, uint64_t seqnum);

  /// Looks for files when it is time, and for what has been written. True: there may be something to read.
  bool Poll(MonoTime now);

  /// The next entry and the file it is in, until the call after. False: there is none until the next Poll,
  /// which is due at once where busy().
  bool Next(JournalFile*& file, JournalEntry& entry);
  bool busy() const { return busy_; }

  /// Is every file that may grow watched? Then nothing has to be asked before a watch has something.
  bool watched() const;
  bool watches(int watch) const;
  /// When it looks for files next.
  MonoTime next_scan() const { return next_scan_; }

  /// Of the entry that Next gave last.
  const Position& position() const { return last_; }
  /// All, also those where nothing has been read yet.
  size_t tracks() const { return track_count_; }
  const Position& track(size_t index) const { return tracks_[index].position; }

  Counts counts() const;
  /// What the last look for files found that cannot be read; empty: nothing.
  std::string_view problem() const { return problem_.text(); }
  size_t open_files() const;

 private:
  static constexpr size_t kPathMax = 224;
  static constexpr size_t kReadNamesMax = 256;
  static constexpr size_t kMachinesMax = 16;
  static constexpr int kPassedMax = 1000;  // Damaged entries in one call of Next.

  struct Track {
    Position position;
    uint64_t horizon = 0;         // J1
    uint64_t limit = UINT64_MAX;  // Beyond, there is a file that has no slot.
    bool fresh = false;           // It begins at its end, which is not known before all files are.
  };
  struct Slot {
    bool used = false;
    JournalFile journal;
    Track* track = nullptr;
    std::array<char, kPathMax> path{};
    size_t path_bytes = 0;   // 0: another file has its name now.
    bool runtime = false;    // Below /run: journald copies it to /var some time.
    bool seen = false;       // In this scan.
    bool closed = false;     // Nobody writes to it any more.
    int watch = -1;
    bool has_head = false;
    JournalEntry head;       // Its next entry.
    std::string_view name() const { return {path.data(), path_bytes}; }
  };
  class Names;

  void Scan();
  void Report(const char* what, std::string_view path, std::string_view error);
  void Consider(std::string_view path);
  void ConsiderOpen(int file, std::string_view path, bool closed);
  Slot* SlotFor(const JournalFile::Header& header, Track& track);
  Track* TrackOf(const JournalId& seqnum_id);
  void SetPath(Slot& slot, std::string_view path);
  void Release(Slot& slot);
  bool RefreshAll();
  bool FillHead(Slot& slot);
  Slot* Choose();
  bool IsRead(uint64_t name) const;
  void MarkRead(std::string_view path);

  Files& files_;
  Log& log_;
  const Options options_;
  JournalPages pages_;
  std::array<Slot, kJournalFilesMax> slots_;
  std::array<Track, kJournalTracksMax> tracks_;
  size_t track_count_ = 0;
  Slot* given_ = nullptr;  // Next's last one: it is not released before the next call.

  std::array<uint64_t, kReadNamesMax> read_names_{};  // Hashes of the names of files that are read.
  size_t read_name_next_ = 0;

  MonoTime next_scan_;
  bool scanned_ = false, scan_now_ = true, first_ = true, resumed_ = false;
  bool late_ = false;  // Something came while it looked.
  bool opened_ = false, overflow_ = false, renamed_ = false, busy_ = false;
  int passed_ = 0;
  Position last_;
  Counts counts_;
  TextBuffer<200> problem_;
  // Of the last entry below /run: what is copied is not later.
  JournalId runtime_boot_{}, runtime_machine_{};
  uint64_t runtime_monotonic_us_ = 0;
};

}  // namespace limpet
