// Flash that never existed: a VFS of SQLite with its files in memory. Any operation can be made to
// fail, the space can run out, and the power can be cut at any moment.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "limpet/status.h"

namespace limpet::sim {

enum class Fault : uint8_t { kOnce, kFromThenOn };

/// What reached the flash, for an estimate of its wear.
struct FlashCounters {
  uint64_t written_bytes = 0, writes = 0, syncs = 0;
  uint64_t blocks = 0;  ///< Different blocks of 4096 bytes written between syncs of a file, summed.
};

/// One directory, flat. A file's writes are pending until the file is synced, names until the
/// directory is: by the first sync of a new journal or WAL, a synced delete, Rename or Remove, much
/// as with SQLite's own VFS for Unix. What is pending may or may not survive a cut.
///
/// Writes survive independently of each other and of their order, by sectors of 512 bytes; bytes of
/// a sector that were not written stay (what SQLite calls powersafe overwrite). What a file grew by
/// may hold anything. Names survive in order, as on filesystems with a journal or a log.
class SimFlash {
 public:
  static constexpr size_t kSector = 512, kBlock = 4096;

  /// Kinds of operations, for a mask.
  enum Kind : unsigned {
    kOpen = 1, kRead = 2, kWrite = 4, kTruncate = 8, kSync = 16, kLock = 32, kDelete = 64,
    kAccess = 128, kRename = 256, kEvery = 511,
  };

  /// Starts SQLite (sim/sqlite_heap.h) and registers a VFS of a name of its own.
  SimFlash();
  SimFlash(const SimFlash&) = delete;
  SimFlash& operator=(const SimFlash&) = delete;
  /// Every connection over it must be closed.
  ~SimFlash();

  /// For Database::Open.
  const char* vfs() const;

  /// What a read gives now. Tests may change it at will, between operations; a change is no write,
  /// and survives.
  std::map<std::string, std::string> files;
  uint64_t capacity = UINT64_MAX;  ///< The sum of file sizes cannot grow past it: SQLITE_FULL.
  bool read_only = false;          ///< As a filesystem mounted read-only.
  FlashCounters counters;

  uint64_t used_bytes() const;

  /// The nth operation (from 1) of these kinds fails, alone or with all that follow. An error that
  /// fits the kind: SQLITE_CANTOPEN, SQLITE_IOERR_*, SQLITE_BUSY for a lock; full: SQLITE_FULL for
  /// a write.
  void FailAfter(unsigned kinds, int nth, Fault mode, bool full = false);
  /// Faults met since FailAfter.
  int hits() const { return hits_; }
  /// Nothing fails any more. Returns hits().
  int Heal();

  /// The nth operation from now (from 1) that changes something (write, truncate, sync, delete,
  /// rename) is the last that may have happened, in part; it and all others fail until Reboot.
  void CutPowerAfter(uint64_t nth);
  /// Has CutPowerAfter come to it?
  bool dead() const { return dead_; }
  /// Operations that change something, so far.
  uint64_t operations() const { return operations_; }
  /// Power comes back: the seed decides what survives of all that is pending, with or without a cut
  /// before it. Files that are open stay useless; only closing them is left.
  void Reboot(uint64_t seed);

  /// For a Storage. Both change the directory and sync it.
  Status Rename(const std::string& from, const std::string& to);
  Status Remove(const std::string& name);
  Status Check(Kind kind);  ///< Lets the operation of a Storage meet the faults.

 private:
  struct Vfs;
  struct OpenFile;

  /// A change of a file that is not synced yet, with what undoes it.
  struct Change {
    bool truncate;
    uint64_t offset;  // A truncation: the size after it.
    uint64_t old_size;
    std::string old_bytes;  // At offset, as far as the file went.
    std::string new_bytes;
  };
  struct Node {
    std::vector<Change> pending;
    std::set<uint64_t> blocks;
  };
  /// A change of the directory that is not synced yet.
  struct NameChange {
    Kind kind;  // kOpen: created; kDelete, kRename.
    std::string name, to;
    bool replaced;  // A file: by a rename, or by a deletion its own.
    std::string bytes;
    Node node;
  };

  bool Meets(Kind kind);
  int Fail(Kind kind) const;
  bool Mutate();
  int Write(const std::string& name, uint64_t offset, std::string_view bytes);
  int Truncate(const std::string& name, uint64_t size);
  int Sync(const std::string& name);
  void Delete(const std::string& name);
  void SyncNames() { names_.clear(); }
  void UndoNames(size_t keep);
  void Survive(std::string& bytes, Node& node);

  std::map<std::string, Node> nodes_;
  std::vector<NameChange> names_;
  std::vector<std::unique_ptr<OpenFile>> open_;
  std::mt19937_64 random_;
  enum class Luck : uint8_t { kNone, kAll, kMixed } luck_ = Luck::kMixed;
  uint64_t epoch_ = 0;    // Counts reboots: a file opened before is useless.

  unsigned fail_kinds_ = 0;
  int fail_nth_ = 0, met_ = 0, hits_ = 0;
  Fault fail_mode_ = Fault::kOnce;
  bool fail_full_ = false;

  uint64_t operations_ = 0, cut_at_ = 0;
  bool dead_ = false;
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace limpet::sim
