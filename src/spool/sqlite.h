// SQLite as far as the spool needs it: a connection, statements, blobs in pieces. No type of the
// library shows here. One thread at a time; all memory comes from one fixed heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"
#include "memory/fixed_heap.h"

struct sqlite3;
struct sqlite3_blob;
struct sqlite3_stmt;

namespace limpet {

/// Gives SQLite its heap and initializes it, once in the life of the process; the heap must outlive
/// every connection. refuse: for tests, asked before each allocation; true makes it fail.
Status StartSqlite(FixedHeap& heap, bool (*refuse)(size_t bytes) = nullptr);

/// What SQLite takes of its heap; for the thread that it runs in.
PoolUse SqliteHeapUse();

/// "3.46.1".
const char* SqliteVersion();

// What an operation of SQLite comes to, the same everywhere here; `detail` is SQLite's extended code.
//   kFull         no space on the device or within max_page_count, or the heap is full (SQLITE_NOMEM)
//   kInvalid      not a database, or a damaged one
//   kDenied       read-only, no permission, cannot be opened
//   kExists       locked by another process
//   kIo           an operation on a file failed

/// True when the failure was SQLite's heap, not the device.
bool IsOutOfMemory(const Status& status);
/// True when the device did not give what it was once given, or the heap did not suffice for what a page
/// claims to hold: again and again, either means damage.
bool IsUnreadable(const Status& status);

class Database {
 public:
  enum class Mode : uint8_t {
    kCreate,     ///< Read and write, made when missing.
    kReadOnly,   ///< Nothing is written; a hot journal makes it fail.
    kImmutable,  ///< The same, and no lock is taken: nobody writes meanwhile.
  };

  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { Close(); }

  /// path, vfs: with their NULs; vfs nullptr: the default one.
  Status Open(const char* path, const char* vfs, Mode mode);
  /// Statements and blobs must be gone before.
  void Close();
  bool is_open() const { return db_ != nullptr; }

  /// One or more statements without parameters whose rows nobody wants.
  Status Execute(const char* sql);
  /// The first column of the first row; 0 when there is no row.
  Result<int64_t> Number(const char* sql);

  /// The database file itself, past every cache: size and bytes. Whole between transactions.
  Result<uint64_t> FileSize();
  Status ReadFile(uint64_t offset, std::span<uint8_t> into);

  /// Copies the whole into `to`, whatever that holds, by SQLite's online backup. It is on flash when
  /// this returns, if `to` syncs.
  Status CopyTo(Database& to);

  /// Walks a table through all of its pages. kInvalid: the file is damaged.
  Status CheckTable(std::string_view table);

  /// Is a transaction open? An error may have rolled it back.
  bool in_transaction() const;

 private:
  friend class Statement;
  friend class BlobStream;
  sqlite3* db_ = nullptr;
};

/// A prepared statement. Parameters and columns are counted as SQLite does: from 1, and from 0.
class Statement {
 public:
  Statement() = default;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { Finish(); }

  Status Prepare(Database& db, std::string_view sql);
  void Finish();
  bool is_prepared() const { return statement_ != nullptr; }
  /// For another run; the parameters stay.
  void Reset();

  // Bound texts and bytes must live until the statement has run.
  void Bind(int parameter, int64_t value);
  void Bind(int parameter, std::string_view text);
  void Bind(int parameter, std::span<const uint8_t> bytes);
  void BindZeros(int parameter, size_t bytes);

  /// True: a row is there. False: no more.
  Result<bool> Step();
  /// Runs a statement without rows, and resets it.
  Status Run();

  int64_t Number(int column) const;
  /// Valid until the next Step, Reset or Finish.
  std::string_view Text(int column) const;
  std::span<const uint8_t> Bytes(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
  Status failed_;  // Of a Bind: told by the next Step.
};

/// A blob of one row, read or written piece by piece, so that it is never in memory as a whole.
class BlobStream {
 public:
  BlobStream() = default;
  BlobStream(const BlobStream&) = delete;
  BlobStream& operator=(const BlobStream&) = delete;
  ~BlobStream() { (void)Close(); }

  /// kNotFound: there is no such row, or its column holds no blob.
  Status Open(Database& db, const char* table, const char* column, int64_t row, bool write);
  Status Close();
  size_t size() const;
  Status Read(size_t offset, std::span<uint8_t> into);
  Status Write(size_t offset, std::span<const uint8_t> bytes);

 private:
  sqlite3_blob* blob_ = nullptr;
};

}  // namespace limpet
