#include "sim/flash.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/sqlite_heap.h"

namespace limpet::sim {
namespace {

int g_instances = 0;

std::string_view View(const void* bytes, int count) {
  return {static_cast<const char*>(bytes), static_cast<size_t>(count)};
}

/// Puts bytes at offset; what lies between the end and offset becomes zero.
void Put(std::string& into, uint64_t offset, std::string_view bytes) {
  const auto end = static_cast<size_t>(offset + bytes.size());
  if (into.size() < end) into.resize(end);
  std::memcpy(into.data() + offset, bytes.data(), bytes.size());
}

}  // namespace

struct SimFlash::OpenFile {
  SimFlash& flash;
  std::string name;
  uint64_t epoch;
  bool read_only, delete_on_close;
  bool names_pending;  // A new journal: its first sync syncs the directory too.
  int lock = SQLITE_LOCK_NONE;
};

/// What SQLite calls. Everything is decided in SimFlash.
struct SimFlash::Vfs {
  struct Handle {
    sqlite3_file base;  // First: SQLite knows only this.
    OpenFile* open;
  };

  sqlite3_vfs base{};
  std::string name;
  int temporary = 0;  // Files without a name, so far.
  uint64_t random = 0;

  static SimFlash& Flash(sqlite3_vfs* vfs) { return *static_cast<SimFlash*>(vfs->pAppData); }
  static OpenFile& Of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->open; }

  /// The file as it is read now; nullptr when the operation is to fail.
  static std::string* Use(OpenFile& open, Kind kind) {
    if (open.epoch != open.flash.epoch_ || open.flash.Meets(kind)) return nullptr;
    const auto it = open.flash.files.find(open.name);
    return it == open.flash.files.end() ? nullptr : &it->second;
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out);
  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory);
  static int Access(sqlite3_vfs* vfs, const char* name, int flags, int* out);
  static int FullPathname(sqlite3_vfs*, const char* name, int bytes, char* out) {
    sqlite3_snprintf(bytes, out, "%s", name);
    return SQLITE_OK;
  }
  static int Randomness(sqlite3_vfs* vfs, int bytes, char* out) {
    for (int i = 0; i < bytes; ++i) out[i] = static_cast<char>(Flash(vfs).vfs_->random++ * 37);
    return bytes;
  }
  static int Sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int CurrentTime(sqlite3_vfs*, double* days) {
    *days = 2'460'000;  // Of the Julian calendar: 2023.
    return SQLITE_OK;
  }

  static int Close(sqlite3_file* file);
  static int Read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 offset);
  static int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset);
  static int Truncate(sqlite3_file* file, sqlite3_int64 size);
  static int Sync(sqlite3_file* file, int flags);
  static int FileSize(sqlite3_file* file, sqlite3_int64* size);
  static int Lock(sqlite3_file* file, int level);
  static int Unlock(sqlite3_file* file, int level);
  static int CheckReservedLock(sqlite3_file* file, int* out);
  static int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int SectorSize(sqlite3_file*) { return kSector; }
  static int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  /// Version 1: no shared memory, so that WAL needs locking_mode=EXCLUSIVE.
  static constexpr sqlite3_io_methods kMethods = {
      1,    Close,  Read,              Write,       Truncate,   Sync, FileSize,
      Lock, Unlock, CheckReservedLock, FileControl, SectorSize, DeviceCharacteristics};
};

int SimFlash::Vfs::Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                        int* out) {
  SimFlash& flash = Flash(vfs);
  file->pMethods = nullptr;
  if (flash.Meets(kOpen)) return flash.Fail(kOpen);
  const std::string path =
      name != nullptr ? name : "temporary-" + std::to_string(++flash.vfs_->temporary);
  const bool found = flash.files.contains(path);
  bool read_only = (flags & SQLITE_OPEN_READONLY) != 0;
  if (found && (flags & SQLITE_OPEN_EXCLUSIVE) != 0) return SQLITE_CANTOPEN;
  if (!found) {
    if ((flags & SQLITE_OPEN_CREATE) == 0 || flash.read_only) return SQLITE_CANTOPEN;
    flash.files[path];
    flash.nodes_[path] = {};
    flash.names_.push_back({.kind = kOpen, .name = path});
  } else if (flash.read_only) {
    read_only = true;
  }
  if (out != nullptr) {
    *out = flags;
    if (read_only) *out = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
  }
  constexpr int kJournals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
  flash.open_.push_back(std::make_unique<OpenFile>(
      OpenFile{.flash = flash,
               .name = path,
               .epoch = flash.epoch_,
               .read_only = read_only,
               .delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0,
               .names_pending = !found && (flags & kJournals) != 0}));
  reinterpret_cast<Handle*>(file)->open = flash.open_.back().get();
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int SimFlash::Vfs::Close(sqlite3_file* file) {
  OpenFile& open = Of(file);
  SimFlash& flash = open.flash;
  if (open.delete_on_close && open.epoch == flash.epoch_ && !flash.dead_) flash.Delete(open.name);
  std::erase_if(flash.open_, [&](const auto& other) { return other.get() == &open; });
  return SQLITE_OK;
}

int SimFlash::Vfs::Read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 offset) {
  const std::string* const text = Use(Of(file), kRead);
  if (text == nullptr) return SQLITE_IOERR_READ;
  const auto want = static_cast<size_t>(bytes);
  const auto at = std::min(static_cast<size_t>(offset), text->size());
  const size_t count = std::min(want, text->size() - at);
  std::memcpy(into, text->data() + at, count);
  if (count == want) return SQLITE_OK;
  std::memset(static_cast<char*>(into) + count, 0, want - count);
  return SQLITE_IOERR_SHORT_READ;
}

int SimFlash::Vfs::Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
  OpenFile& open = Of(file);
  SimFlash& flash = open.flash;
  if (Use(open, kWrite) == nullptr) return flash.Fail(kWrite);
  if (open.read_only || flash.read_only) return SQLITE_IOERR_WRITE;
  return flash.Write(open.name, static_cast<uint64_t>(offset), View(from, bytes));
}

int SimFlash::Vfs::Truncate(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile& open = Of(file);
  SimFlash& flash = open.flash;
  if (Use(open, kTruncate) == nullptr) return flash.Fail(kTruncate);
  if (open.read_only || flash.read_only) return SQLITE_IOERR_TRUNCATE;
  return flash.Truncate(open.name, static_cast<uint64_t>(size));
}

int SimFlash::Vfs::Sync(sqlite3_file* file, int) {
  OpenFile& open = Of(file);
  SimFlash& flash = open.flash;
  if (Use(open, kSync) == nullptr) return flash.Fail(kSync);
  if (const int code = flash.Sync(open.name); code != SQLITE_OK) return code;
  if (open.names_pending) flash.SyncNames();
  open.names_pending = false;
  return SQLITE_OK;
}

int SimFlash::Vfs::FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const std::string* const text = Use(Of(file), kRead);
  if (text == nullptr) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(text->size());
  return SQLITE_OK;
}

int SimFlash::Vfs::Lock(sqlite3_file* file, int level) {
  OpenFile& open = Of(file);
  if (open.lock >= level) return SQLITE_OK;
  if (Use(open, kLock) == nullptr) return open.flash.Fail(kLock);
  int others = SQLITE_LOCK_NONE;  // The strongest lock that somebody else holds.
  for (const auto& other : open.flash.open_) {
    if (other.get() == &open || other->name != open.name || other->epoch != open.epoch) continue;
    others = std::max(others, other->lock);
  }
  if (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING) return SQLITE_BUSY;
  if (level >= SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
    open.lock = SQLITE_LOCK_PENDING;  // No new readers until the old ones have gone.
    return SQLITE_BUSY;
  }
  open.lock = level;
  return SQLITE_OK;
}

int SimFlash::Vfs::Unlock(sqlite3_file* file, int level) {
  OpenFile& open = Of(file);
  open.lock = std::min(open.lock, level);
  return SQLITE_OK;
}

int SimFlash::Vfs::CheckReservedLock(sqlite3_file* file, int* out) {
  OpenFile& open = Of(file);
  if (Use(open, kLock) == nullptr) return SQLITE_IOERR_CHECKRESERVEDLOCK;
  *out = std::any_of(open.flash.open_.begin(), open.flash.open_.end(), [&](const auto& other) {
    return other->name == open.name && other->epoch == open.epoch &&
           other->lock >= SQLITE_LOCK_RESERVED;
  });
  return SQLITE_OK;
}

int SimFlash::Vfs::Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  SimFlash& flash = Flash(vfs);
  if (flash.Meets(kDelete)) return flash.Fail(kDelete);
  if (!flash.files.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
  if (flash.read_only) return SQLITE_IOERR_DELETE;
  flash.Delete(name);
  if (flash.Mutate()) return SQLITE_IOERR_DELETE;
  if (sync_directory != 0) flash.SyncNames();
  return SQLITE_OK;
}

int SimFlash::Vfs::Access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  SimFlash& flash = Flash(vfs);
  if (flash.Meets(kAccess)) return flash.Fail(kAccess);
  const auto it = flash.files.find(name);
  *out = it != flash.files.end();
  // As SQLite's own for Unix: an empty file counts as none.
  if (flags == SQLITE_ACCESS_EXISTS && *out != 0) *out = !it->second.empty();
  if (flags == SQLITE_ACCESS_READWRITE && flash.read_only) *out = 0;
  return SQLITE_OK;
}

SimFlash::SimFlash() : vfs_(std::make_unique<Vfs>()) {
  SqliteHeap::Get();
  vfs_->name = "sim-flash-" + std::to_string(++g_instances);
  vfs_->base = {.iVersion = 1,
                .szOsFile = sizeof(Vfs::Handle),
                .mxPathname = 255,
                .zName = vfs_->name.c_str(),
                .pAppData = this,
                .xOpen = Vfs::Open,
                .xDelete = Vfs::Delete,
                .xAccess = Vfs::Access,
                .xFullPathname = Vfs::FullPathname,
                .xRandomness = Vfs::Randomness,
                .xSleep = Vfs::Sleep,
                .xCurrentTime = Vfs::CurrentTime};
  LIMPET_CHECK(sqlite3_vfs_register(&vfs_->base, 0) == SQLITE_OK);
}

SimFlash::~SimFlash() {
  LIMPET_CHECK(open_.empty());
  sqlite3_vfs_unregister(&vfs_->base);
}

const char* SimFlash::vfs() const { return vfs_->name.c_str(); }

uint64_t SimFlash::used_bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, bytes] : files) sum += bytes.size();
  return sum;
}

void SimFlash::FailAfter(unsigned kinds, int nth, Fault mode, bool full) {
  fail_kinds_ = kinds;
  fail_nth_ = nth;
  fail_mode_ = mode;
  fail_full_ = full;
  met_ = hits_ = 0;
}

int SimFlash::Heal() {
  fail_kinds_ = 0;
  return hits_;
}

bool SimFlash::Meets(Kind kind) {
  if (dead_) return true;
  if ((fail_kinds_ & kind) == 0) return false;
  ++met_;
  if (met_ != fail_nth_ && (fail_mode_ == Fault::kOnce || met_ < fail_nth_)) return false;
  ++hits_;
  return true;
}

int SimFlash::Fail(Kind kind) const {
  switch (kind) {
    case kOpen: return SQLITE_CANTOPEN;
    case kRead: return SQLITE_IOERR_READ;
    case kWrite: return fail_full_ && !dead_ ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    case kTruncate: return SQLITE_IOERR_TRUNCATE;
    case kSync: return SQLITE_IOERR_FSYNC;
    case kLock: return dead_ ? SQLITE_IOERR_LOCK : SQLITE_BUSY;
    case kDelete: return SQLITE_IOERR_DELETE;
    case kAccess: return SQLITE_IOERR_ACCESS;
    default: return SQLITE_IOERR;
  }
}

Status SimFlash::Check(Kind kind) {
  if (Meets(kind)) return {Code::kIo, EIO, "flash"};
  return {};
}

void SimFlash::CutPowerAfter(uint64_t nth) { cut_at_ = operations_ + nth; }

/// Counts a change that has just been made. True: the power went while it was.
bool SimFlash::Mutate() {
  ++operations_;
  if (operations_ == cut_at_) dead_ = true;
  return dead_;
}

int SimFlash::Write(const std::string& name, uint64_t offset, std::string_view bytes) {
  std::string& file = files[name];
  Node& node = nodes_[name];
  const uint64_t end = offset + bytes.size();
  if (end > file.size() && used_bytes() - file.size() + end > capacity) return SQLITE_FULL;
  Change change{.truncate = false, .offset = offset, .old_size = file.size()};
  if (offset < file.size()) change.old_bytes = file.substr(static_cast<size_t>(offset), bytes.size());
  change.new_bytes = bytes;
  node.pending.push_back(std::move(change));
  Put(file, offset, bytes);
  ++counters.writes;
  counters.written_bytes += bytes.size();
  for (uint64_t block = offset / kBlock; block * kBlock < end; ++block) node.blocks.insert(block);
  return Mutate() ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

int SimFlash::Truncate(const std::string& name, uint64_t size) {
  std::string& file = files[name];
  Change change{.truncate = true, .offset = size, .old_size = file.size()};
  if (size < file.size()) change.old_bytes = file.substr(static_cast<size_t>(size));
  nodes_[name].pending.push_back(std::move(change));
  file.resize(static_cast<size_t>(size));
  return Mutate() ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

int SimFlash::Sync(const std::string& name) {
  if (Mutate()) return SQLITE_IOERR_FSYNC;
  Node& node = nodes_[name];
  node.pending.clear();
  ++counters.syncs;
  counters.blocks += node.blocks.size();
  node.blocks.clear();
  return SQLITE_OK;
}

void SimFlash::Delete(const std::string& name) {
  names_.push_back({.kind = kDelete,
                    .name = name,
                    .bytes = std::move(files[name]),
                    .node = std::move(nodes_[name])});
  files.erase(name);
  nodes_.erase(name);
}

Status SimFlash::Rename(const std::string& from, const std::string& to) {
  LIMPET_TRY(Check(kRename));
  if (!files.contains(from)) return {Code::kNotFound, ENOENT, "rename"};
  if (read_only) return {Code::kDenied, EROFS, "rename"};
  NameChange change{.kind = kRename, .name = from, .to = to, .replaced = files.contains(to)};
  if (change.replaced) {
    change.bytes = std::move(files[to]);
    change.node = std::move(nodes_[to]);
  }
  files[to] = std::move(files[from]);
  nodes_[to] = std::move(nodes_[from]);
  files.erase(from);
  nodes_.erase(from);
  names_.push_back(std::move(change));
  if (Mutate()) return {Code::kIo, EIO, "rename"};
  SyncNames();
  return {};
}

Status SimFlash::Remove(const std::string& name) {
  LIMPET_TRY(Check(kDelete));
  if (!files.contains(name)) return {};
  if (read_only) return {Code::kDenied, EROFS, "remove"};
  Delete(name);
  if (Mutate()) return {Code::kIo, EIO, "remove"};
  SyncNames();
  return {};
}

/// All but the first `keep` changes of the directory have not happened.
void SimFlash::UndoNames(size_t keep) {
  for (; names_.size() > keep; names_.pop_back()) {
    NameChange& change = names_.back();
    if (change.kind == kRename) {
      files[change.name] = std::move(files[change.to]);
      nodes_[change.name] = std::move(nodes_[change.to]);
    }
    const std::string& name = change.kind == kRename ? change.to : change.name;
    files.erase(name);
    nodes_.erase(name);
    if (change.kind == kDelete || change.replaced) {
      files[name] = std::move(change.bytes);
      nodes_[name] = std::move(change.node);
    }
  }
  names_.clear();
}

void SimFlash::Reboot(uint64_t seed) {
  random_.seed(seed);
  // Few seeds must meet the ends of the range too: nothing of it survives, and all of it.
  const uint64_t luck = random_() % 6;
  luck_ = luck == 0 ? Luck::kNone : luck == 1 ? Luck::kAll : Luck::kMixed;
  UndoNames(luck_ == Luck::kNone  ? 0
            : luck_ == Luck::kAll ? names_.size()
                                  : random_() % (names_.size() + 1));
  for (auto& [name, node] : nodes_) {
    if (const auto file = files.find(name); file != files.end()) Survive(file->second, node);
  }
  nodes_.clear();
  ++epoch_;
  Heal();
  cut_at_ = 0;
  dead_ = false;
}

/// Takes the file back to its last sync, and lets some of what came after happen again.
void SimFlash::Survive(std::string& bytes, Node& node) {
  for (auto change = node.pending.rbegin(); change != node.pending.rend(); ++change) {
    bytes.resize(static_cast<size_t>(change->old_size));
    if (!change->old_bytes.empty()) Put(bytes, change->offset, change->old_bytes);
  }
  enum : uint64_t { kKept, kTorn, kDropped, kFates };
  for (const Change& change : node.pending) {
    const uint64_t fate = luck_ == Luck::kNone  ? kDropped
                          : luck_ == Luck::kAll ? kKept
                                                : random_() % kFates;
    if (fate == kDropped) continue;
    if (change.truncate) {
      bytes.resize(static_cast<size_t>(change.offset));
      continue;
    }
    const uint64_t end = change.offset + change.new_bytes.size();
    if (fate == kTorn && bytes.size() < end && random_() % 2 == 0) {
      // The file has grown, and what it grew by holds anything.
      bytes.resize(static_cast<size_t>(end), static_cast<char>(random_() % 2 == 0 ? 0 : random_()));
    }
    for (uint64_t at = change.offset; at < end;) {
      const uint64_t next = std::min(end, (at / kSector + 1) * kSector);
      if (fate == kKept || random_() % 2 == 0) {
        Put(bytes, at, std::string_view(change.new_bytes)
                           .substr(static_cast<size_t>(at - change.offset), static_cast<size_t>(next - at)));
      }
      at = next;
    }
  }
}

}  // namespace limpet::sim
