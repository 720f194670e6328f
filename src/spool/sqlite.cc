#include "spool/sqlite.h"

#include <sqlite3.h>

#include "base/text.h"

namespace limpet {
namespace {

// SQLite's allocation hooks carry no context, so this is the one place with a global.
FixedHeap* g_heap = nullptr;
bool (*g_refuse)(size_t bytes) = nullptr;

bool Refused(int bytes) { return g_refuse != nullptr && g_refuse(static_cast<size_t>(bytes)); }

void* Malloc(int bytes) { return Refused(bytes) ? nullptr : g_heap->Allocate(static_cast<size_t>(bytes)); }
void Free(void* block) { g_heap->Free(block); }
void* Realloc(void* block, int bytes) {
  return Refused(bytes) ? nullptr : g_heap->Resize(block, static_cast<size_t>(bytes));
}
int SizeOf(void* block) { return block == nullptr ? 0 : static_cast<int>(g_heap->SizeOf(block)); }
int RoundUp(int bytes) { return (bytes + 7) & ~7; }
int Init(void*) { return SQLITE_OK; }
void Shutdown(void*) {}

Status ToStatus(int code, const char* where) {
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return {};
    case SQLITE_FULL:
    case SQLITE_NOMEM: return {Code::kFull, code, where};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT: return {Code::kInvalid, code, where};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: return {Code::kDenied, code, where};
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {Code::kExists, code, where};
    // An allocation within an operation on a file.
    case SQLITE_IOERR:
      return {code == SQLITE_IOERR_NOMEM ? Code::kFull : Code::kIo, code, where};
    // A table, a column or a type is not what our schema says: somebody else's database.
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG: return {Code::kInvalid, code, where};
    default: return {Code::kIo, code, where};
  }
}

}  // namespace

Status StartSqlite(FixedHeap& heap, bool (*refuse)(size_t bytes)) {
  g_heap = &heap;
  g_refuse = refuse;
  static const sqlite3_mem_methods kMethods = {Malloc,  Free, Realloc,  SizeOf,
                                               RoundUp, Init, Shutdown, nullptr};
  if (const int code = sqlite3_config(SQLITE_CONFIG_MALLOC, &kMethods); code != SQLITE_OK) {
    return {Code::kUnsupported, code, "sqlite allocator"};
  }
  // Small sizes of its own would only fragment the heap, and statistics cost a call each.
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  return ToStatus(sqlite3_initialize(), "sqlite");
}

PoolUse SqliteHeapUse() { return g_heap->use(); }

const char* SqliteVersion() { return sqlite3_libversion(); }

bool IsOutOfMemory(const Status& status) {
  return status.code == Code::kFull &&
         ((status.detail & 0xff) == SQLITE_NOMEM || status.detail == SQLITE_IOERR_NOMEM);
}

bool IsUnreadable(const Status& status) {
  if (IsOutOfMemory(status)) return true;
  return status.code == Code::kIo &&
         (status.detail == SQLITE_IOERR_READ || status.detail == SQLITE_IOERR_CORRUPTFS);
}

Status Database::Open(const char* path, const char* vfs, Mode mode) {
  LIMPET_CHECK(db_ == nullptr);
  int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::kCreate ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  if (mode == Mode::kImmutable) flags |= SQLITE_OPEN_URI;
  const int code = sqlite3_open_v2(path, &db_, flags, vfs);
  if (code != SQLITE_OK) Close();
  return ToStatus(code, "open database");
}

void Database::Close() {
  if (db_ == nullptr) return;
  // With everything finished it cannot be busy.
  LIMPET_CHECK(sqlite3_close(db_) == SQLITE_OK);
  db_ = nullptr;
}

Status Database::Execute(const char* sql) {
  return ToStatus(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), sql);
}

Result<int64_t> Database::Number(const char* sql) {
  Statement statement;
  LIMPET_TRY(statement.Prepare(*this, sql));
  const Result<bool> row = statement.Step();
  if (!row.ok()) return row.status();
  return row.value() ? statement.Number(0) : int64_t{0};
}

namespace {

sqlite3_file* FileOf(sqlite3* db) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

}  // namespace

Result<uint64_t> Database::FileSize() {
  sqlite3_file* const file = FileOf(db_);
  sqlite3_int64 size = 0;
  if (file == nullptr) return {Code::kUnavailable, 0, "no file"};
  LIMPET_TRY(ToStatus(file->pMethods->xFileSize(file, &size), "file size"));
  return static_cast<uint64_t>(size);
}

Status Database::ReadFile(uint64_t offset, std::span<uint8_t> into) {
  sqlite3_file* const file = FileOf(db_);
  if (file == nullptr) return {Code::kUnavailable, 0, "no file"};
  return ToStatus(file->pMethods->xRead(file, into.data(), static_cast<int>(into.size()),
                                        static_cast<sqlite3_int64>(offset)),
                  "read file");
}

Status Database::CopyTo(Database& to) {
  sqlite3_backup* const backup = sqlite3_backup_init(to.db_, "main", db_, "main");
  if (backup == nullptr) return ToStatus(sqlite3_extended_errcode(to.db_), "backup");
  const int code = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) return ToStatus(code, "backup");
  return ToStatus(finished, "backup");
}

Status Database::CheckTable(std::string_view table) {
  TextBuffer<64> sql;
  sql << "PRAGMA quick_check(" << table << ')';
  Statement statement;
  LIMPET_TRY(statement.Prepare(*this, sql.text()));
  const Result<bool> row = statement.Step();
  if (!row.ok()) return row.status();
  if (statement.Text(0) != "ok") return {Code::kInvalid, SQLITE_CORRUPT, "check of a table"};
  return {};
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

Status Statement::Prepare(Database& db, std::string_view sql) {
  Finish();
  return ToStatus(sqlite3_prepare_v2(db.db_, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr),
                  "prepare");
}

void Statement::Finish() {
  sqlite3_finalize(statement_);
  statement_ = nullptr;
  failed_ = {};
}

void Statement::Reset() { sqlite3_reset(statement_); }

void Statement::Bind(int parameter, int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_, parameter, value); code != SQLITE_OK) {
    failed_ = ToStatus(code, "bind");
  }
}

void Statement::Bind(int parameter, std::string_view text) {
  if (const int code = sqlite3_bind_text(statement_, parameter, text.data() == nullptr ? "" : text.data(),
                                         static_cast<int>(text.size()), SQLITE_STATIC);
      code != SQLITE_OK) {
    failed_ = ToStatus(code, "bind");
  }
}

void Statement::Bind(int parameter, std::span<const uint8_t> bytes) {
  const void* const data = bytes.data() == nullptr ? "" : static_cast<const void*>(bytes.data());
  if (const int code = sqlite3_bind_blob(statement_, parameter, data, static_cast<int>(bytes.size()),
                                         SQLITE_STATIC);
      code != SQLITE_OK) {
    failed_ = ToStatus(code, "bind");
  }
}

void Statement::BindZeros(int parameter, size_t bytes) {
  if (const int code = sqlite3_bind_zeroblob(statement_, parameter, static_cast<int>(bytes));
      code != SQLITE_OK) {
    failed_ = ToStatus(code, "bind");
  }
}

Result<bool> Statement::Step() {
  LIMPET_TRY(failed_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return ToStatus(code, "step");
}

Status Statement::Run() {
  const Result<bool> row = Step();
  Reset();
  return row.status();
}

int64_t Statement::Number(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Statement::Text(int column) const {
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

std::span<const uint8_t> Statement::Bytes(int column) const {
  const auto* const bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Status BlobStream::Open(Database& db, const char* table, const char* column, int64_t row, bool write) {
  LIMPET_CHECK(blob_ == nullptr);
  const int code = sqlite3_blob_open(db.db_, "main", table, column, row, write ? 1 : 0, &blob_);
  if (code == SQLITE_ERROR) return {Code::kNotFound, code, "open blob"};
  return ToStatus(code, "open blob");
}

Status BlobStream::Close() {
  const int code = sqlite3_blob_close(blob_);
  blob_ = nullptr;
  return ToStatus(code, "close blob");
}

size_t BlobStream::size() const { return static_cast<size_t>(sqlite3_blob_bytes(blob_)); }

Status BlobStream::Read(size_t offset, std::span<uint8_t> into) {
  return ToStatus(sqlite3_blob_read(blob_, into.data(), static_cast<int>(into.size()), static_cast<int>(offset)),
                  "read blob");
}

Status BlobStream::Write(size_t offset, std::span<const uint8_t> bytes) {
  return ToStatus(sqlite3_blob_write(blob_, bytes.data(), static_cast<int>(bytes.size()), static_cast<int>(offset)),
                  "write blob");
}

}  // namespace limpet
