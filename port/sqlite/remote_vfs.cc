#include "port/sqlite/remote_vfs.h"

#include <cstring>

#include <sqlite3.h>

namespace limpet {
namespace {

// A VFS is known to SQLite by its address, so that it and its file are globals.
RemoteFile* g_file = nullptr;
sqlite3_vfs* g_unix = nullptr;

int Close(sqlite3_file*) { return SQLITE_OK; }

int Read(sqlite3_file*, void* into, int bytes, sqlite3_int64 offset) {
  const std::span<uint8_t> wanted(static_cast<uint8_t*>(into), static_cast<size_t>(bytes));
  const Result<size_t> got = g_file->Read(static_cast<uint64_t>(offset), wanted);
  if (!got.ok()) return SQLITE_IOERR_READ;
  if (got.value() == wanted.size()) return SQLITE_OK;
  std::memset(wanted.data() + got.value(), 0, wanted.size() - got.value());
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file*, const void*, int, sqlite3_int64) { return SQLITE_READONLY; }
int Truncate(sqlite3_file*, sqlite3_int64) { return SQLITE_READONLY; }
int Sync(sqlite3_file*, int) { return SQLITE_OK; }

int FileSize(sqlite3_file*, sqlite3_int64* size) {
  const Result<uint64_t> got = g_file->Size();
  if (!got.ok()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(got.value());
  return SQLITE_OK;
}

int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int Unlock(sqlite3_file*, int) { return SQLITE_OK; }

int CheckReservedLock(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}

int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int SectorSize(sqlite3_file*) { return 0; }
/// So that SQLite looks for no journal, and reads a file whose header names a WAL without one.
int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_IMMUTABLE; }

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

int Open(sqlite3_vfs*, const char*, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return SQLITE_CANTOPEN;
  if (flags_out != nullptr) *flags_out = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs*, const char*, int) { return SQLITE_READONLY; }

int Access(sqlite3_vfs*, const char*, int, int* result) {
  *result = 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* path, int room, char* into) {
  const size_t size = std::strlen(path) + 1;
  if (size > static_cast<size_t>(room)) return SQLITE_CANTOPEN;
  std::memcpy(into, path, size);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs*, int bytes, char* into) {
  return g_unix->xRandomness(g_unix, bytes, into);
}
int Sleep(sqlite3_vfs*, int microseconds) { return g_unix->xSleep(g_unix, microseconds); }
int CurrentTime(sqlite3_vfs*, double* day) { return g_unix->xCurrentTime(g_unix, day); }
int LastError(sqlite3_vfs*, int, char*) { return 0; }
int CurrentTimeInt64(sqlite3_vfs*, sqlite3_int64* time) {
  return g_unix->xCurrentTimeInt64(g_unix, time);
}

}  // namespace

Status StartRemoteVfs(RemoteFile& file) {
  g_file = &file;
  g_unix = sqlite3_vfs_find(nullptr);
  if (g_unix == nullptr || g_unix->iVersion < 2) return {Code::kUnsupported, 0, "sqlite vfs"};
  static sqlite3_vfs vfs = {
      .iVersion = 2,
      .szOsFile = static_cast<int>(sizeof(sqlite3_file)),
      .mxPathname = g_unix->mxPathname,
      .zName = kRemoteVfs,
      .xOpen = Open,
      .xDelete = Delete,
      .xAccess = Access,
      .xFullPathname = FullPathname,
      .xRandomness = Randomness,
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

}  // namespace limpet
