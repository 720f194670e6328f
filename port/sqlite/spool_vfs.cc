#include "port/sqlite/spool_vfs.h"

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace limpet {
namespace {

// A VFS is known to SQLite by its address, so that it and its numbers are globals.
sqlite3_vfs* g_unix = nullptr;
SpoolWrites g_writes;

/// SQLite gives a file the room that its VFS names: ours stands first, the real one behind it.
struct alignas(8) File {  // The real one holds numbers of 64 bits; SQLite aligns the whole to 8.
  sqlite3_file base;
};

sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + sizeof(File));
}
const sqlite3_io_methods& MethodsOf(sqlite3_file* file) { return *Real(file)->pMethods; }

int Close(sqlite3_file* file) { return MethodsOf(file).xClose(Real(file)); }

int Read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 offset) {
  return MethodsOf(file).xRead(Real(file), into, bytes, offset);
}

int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
  const int code = MethodsOf(file).xWrite(Real(file), from, bytes, offset);
  if (code == SQLITE_OK) g_writes.bytes += static_cast<uint64_t>(bytes);
  return code;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = MethodsOf(file).xTruncate(Real(file), size);
  if (code == SQLITE_OK) ++g_writes.truncations;
  return code;
}

int Sync(sqlite3_file* file, int flags) {
  const int code = MethodsOf(file).xSync(Real(file), flags);
  if (code == SQLITE_OK) ++g_writes.syncs;
  return code;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return MethodsOf(file).xFileSize(Real(file), size);
}

int Lock(sqlite3_file* file, int level) { return MethodsOf(file).xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) { return MethodsOf(file).xUnlock(Real(file), level); }

int CheckReservedLock(sqlite3_file* file, int* reserved) {
  return MethodsOf(file).xCheckReservedLock(Real(file), reserved);
}

int FileControl(sqlite3_file* file, int operation, void* argument) {
  return MethodsOf(file).xFileControl(Real(file), operation, argument);
}

int SectorSize(sqlite3_file* file) { return MethodsOf(file).xSectorSize(Real(file)); }

int DeviceCharacteristics(sqlite3_file* file) {
  return MethodsOf(file).xDeviceCharacteristics(Real(file));
}

// Version 1: without shared memory and without mapped files, neither of which one process with an
// exclusive lock and memory of a known size has a use for.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = Close,
    .xRead = Read,
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = FileSize,
    .xLock = Lock,
    .xUnlock = Unlock,
    .xCheckReservedLock = CheckReservedLock,
    .xFileControl = FileControl,
    .xSectorSize = SectorSize,
    .xDeviceCharacteristics = DeviceCharacteristics,
};

/// Makes a missing file for its owner alone: SQLite's own mode is an option of its build. Whatever
/// already has the name must be a file, not a link to one: that is checked for the database, while
/// the real VFS follows no link for any of them.
int Make(const char* path, int flags) {
  constexpr int kKept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  if (path == nullptr || (flags & kKept) == 0) return SQLITE_OK;  // A temporary one of SQLite's.
  if ((flags & SQLITE_OPEN_CREATE) != 0) {
    const int made = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (made >= 0) {
      close(made);  // New, so that no lock of fcntl(2) is lost with it.
      return SQLITE_OK;
    }
    // Told apart here, since for SQLite it is just one of many reasons not to open.
    if (errno == ENOSPC || errno == EDQUOT) return SQLITE_FULL;
  }
  struct stat info {};
  if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode)) return SQLITE_CANTOPEN;
  return SQLITE_OK;  // Other failures are the real VFS's to tell.
}

int Open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;  // Nothing to close, in case of a failure.
  if (const int code = Make(path, flags); code != SQLITE_OK) return code;
  Real(file)->pMethods = nullptr;
  const int code = g_unix->xOpen(g_unix, path, Real(file), flags, flags_out);
  if (Real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}

int Delete(sqlite3_vfs*, const char* path, int sync_directory) {
  const int code = g_unix->xDelete(g_unix, path, sync_directory);
  if (code == SQLITE_OK && sync_directory != 0) ++g_writes.syncs;
  return code;
}

int Access(sqlite3_vfs*, const char* path, int flags, int* result) {
  return g_unix->xAccess(g_unix, path, flags, result);
}

/// The path as it is: the real VFS would resolve every link on the way, and a database opened
/// without following any would be refused for a link far above it. Open refuses one in its place.
int FullPathname(sqlite3_vfs*, const char* path, int room, char* into) {
  const size_t size = std::strlen(path) + 1;
  if (path[0] != '/') return g_unix->xFullPathname(g_unix, path, room, into);
  if (size > static_cast<size_t>(room)) return SQLITE_CANTOPEN;
  std::memcpy(into, path, size);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs*, int bytes, char* into) {
  return g_unix->xRandomness(g_unix, bytes, into);
}
int Sleep(sqlite3_vfs*, int microseconds) { return g_unix->xSleep(g_unix, microseconds); }
int CurrentTime(sqlite3_vfs*, double* day) { return g_unix->xCurrentTime(g_unix, day); }
int LastError(sqlite3_vfs*, int room, char* into) {
  return g_unix->xGetLastError(g_unix, room, into);
}
int CurrentTimeInt64(sqlite3_vfs*, sqlite3_int64* time) {
  return g_unix->xCurrentTimeInt64(g_unix, time);
}

}  // namespace

Status StartSpoolVfs() {
  sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  if (found == nullptr || found->iVersion < 2) return {Code::kUnsupported, 0, "sqlite vfs"};
  g_unix = found;
  static sqlite3_vfs vfs = {
      .iVersion = 2,
      .szOsFile = static_cast<int>(sizeof(File)) + found->szOsFile,
      .mxPathname = found->mxPathname,
      .zName = kSpoolVfs,
      .xOpen = Open,
      .xDelete = Delete,
      .xAccess = Access,
      .xFullPathname = FullPathname,
      .xRandomness = Randomness,  // No xDlOpen and its like: extensions are left out or not loaded.
      .xSleep = Sleep,
      .xCurrentTime = CurrentTime,
      .xGetLastError = LastError,
      .xCurrentTimeInt64 = CurrentTimeInt64,
  };
  if (const int code = sqlite3_vfs_register(&vfs, 0); code != SQLITE_OK) {
    return {Code::kFull, code, "sqlite vfs"};
  }
  return {};
}

SpoolWrites CountSpoolWrites() { return g_writes; }

}  // namespace limpet
