// Where the commands find a spool: in a running process, or at rest in its directory.
#pragma once

#include <cstdint>
#include <span>

#include "cli/args.h"
#include "main/question.h"
#include "main/remote_spool.h"
#include "memory/fixed_heap.h"
#include "port/linux/file_copy.h"
#include "spool/reader.h"
#include "spool/sqlite.h"

namespace limpet {

/// What the command works with; taken from the system, since the process that runs has no use for it.
inline constexpr size_t kCommandHeapBytes = 2 * kMiB;

/// A spool open for reading. At rest nothing of it is touched: it is read as it lies there, or, when a
/// transaction was cut short, from a private copy in which that is undone.
class SpoolSource {
 public:
  /// The one of this process; nullptr: no memory, as has been said.
  static SpoolSource* Make();

  /// Loads the configuration and starts SQLite. kExitUnavailable: it is one without a spool.
  int Start(const Args& args);
  /// Start, and then finds the spool, opens it and reads what it says of itself. An exit code; what is
  /// wrong has been said.
  int Open(const Args& args);
  /// The same of a file that is no one's state, for `limpet restore`.
  int OpenFile(std::string_view path);

  /// The process has changed what is read: Reopen, and go on from there.
  bool Changed() const { return running_ && remote_.failed().code == Code::kExists; }
  /// kExitTryAgain: it changes so often that nothing comes of it.
  int Reopen();
  /// Something was read: there is a point in going on.
  void NoteProgress() { tries_ = 0; }

  /// Says why reading failed. An exit code.
  int Complaint(const Status& status) const;
  /// When all was read: kExitTryAgain when a process has begun to write to what was at rest.
  int Finish();

  bool running() const { return running_; }
  const Config& config() const { return question_.config(); }
  Question& question() { return question_; }
  Database& database() { return db_; }
  SpoolReader& reader() { return reader_; }
  /// Of the file that is read, as people know it.
  std::string_view path() const { return path_.text(); }

  /// The request of a batch, inflated; it lives until the next. kInvalid: damaged.
  Result<std::span<const uint8_t>> ReadRequest(Kept kept, const Record& record);
  /// Memory for so many bytes; empty: there is none.
  std::span<uint8_t> Buffer(size_t bytes) { return Grow(stored_, bytes); }

 private:
  SpoolSource() : question_(TheQuestion()), remote_(question_) {}

  int OpenRunning(int holder);
  int OpenAtRest();
  Status OpenCopy();
  std::span<uint8_t> Grow(std::span<std::byte>& region, size_t bytes);

  Question& question_;
  RemoteSpool remote_;
  FixedHeap heap_;
  Database db_;
  SpoolReader reader_;
  TemporaryFolder folder_;
  TextBuffer<kPathMax> path_;
  bool running_ = false;
  int tries_ = 0;  // Since anything was read.
  std::span<std::byte> stored_, raw_, gzip_;
};

}  // namespace limpet
