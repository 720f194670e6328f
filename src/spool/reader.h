// Reads a spool that it does not own, for the commands that look at one: through any connection that
// finds one state of it, be it a file at rest or the running process on the other side of a socket.
// It changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "limpet/status.h"
#include "limpet/time.h"
#include "spool/job.h"
#include "spool/record.h"
#include "spool/sqlite.h"
#include "spool/state.h"

namespace limpet {

/// What lies in a spool: batches that are held, or dead letters.
enum class Kept : uint8_t { kBatches, kDead };

/// One of them.
struct KeptRecord {
  Record record;
  Status status;                ///< kInvalid: what the row says is damaged; only its number counts.
  UnixTime died;                ///< These three of a dead letter alone.
  ShortText<32> destination;
  ShortText<200> answer;
};

/// Takes what is wrong with a spool, a line each.
class FindingSink {
 public:
  virtual void OnFinding(std::string_view text) = 0;

 protected:
  ~FindingSink() = default;
};

class SpoolReader {
 public:
  SpoolReader() = default;
  SpoolReader(const SpoolReader&) = delete;
  SpoolReader& operator=(const SpoolReader&) = delete;
  ~SpoolReader() { Close(); }

  /// Looks at what the database is. It must stay open until Close.
  /// kInvalid: no spool, or a damaged one. kUnsupported: a newer limpet's.
  Status Open(Database& db);
  /// Ends every statement, so that the database can be closed.
  void Close();

  const SpoolState& state() const { return state_; }
  bool is_open() const { return db_ != nullptr; }

  /// All of them behind a row, in the order of their collection.
  Status Walk(Kept kept, SpoolRow after);
  /// The next; false: no more. kInvalid, in the place of the end: a page did not read, and what its
  /// table has behind it was not found.
  Result<bool> Next(KeptRecord& record);

  /// kNotFound: there is none of this number.
  Status Find(Kept kept, SpoolRow row, KeptRecord& record);

  /// Fills `into`, of record.blob_bytes(), and returns its part that is the request, as it is stored.
  /// kInvalid: it does not match its checksum.
  Result<std::span<const uint8_t>> ReadBytes(Kept kept, const Record& record,
                                             std::span<uint8_t> into);

  /// Checks the file, that every row is what was stored, and that the account is what the rows come to.
  /// buffer(n): memory for a record of that size; empty: there is none.
  /// Returns how many records are sound; a failure only when the database could not be asked.
  template <typename Buffer>
  Result<uint64_t> Verify(FindingSink& findings, Buffer buffer);

 private:
  struct Sum {
    uint64_t batches = 0, items = 0, bytes = 0;
  };
  using Sums = std::array<Sum, kSignalCount>;

  Status CheckPages(FindingSink& findings);
  Status CheckRecord(Kept kept, const KeptRecord& record, std::span<uint8_t> into, Sums& sums,
                     FindingSink& findings, uint64_t& sound);
  void Compare(const Sums& batches, const Sums& dead, FindingSink& findings);

  Database* db_ = nullptr;
  SpoolState state_;
  Kept kept_ = Kept::kBatches;
  // A cursor for each table, and what each found; dead letters have one.
  std::array<Statement, kSignalCount> cursors_;
  std::array<KeptRecord, kSignalCount> heads_;
  std::array<bool, kSignalCount> waiting_{};  // heads_[i] is there and was not given out.
  Status failed_;                             // The first failure of a cursor.

  void Advance(size_t cursor);
};

template <typename Buffer>
Result<uint64_t> SpoolReader::Verify(FindingSink& findings, Buffer buffer) {
  LIMPET_TRY(CheckPages(findings));
  std::array<Sums, 2> sums{};
  uint64_t sound = 0;
  for (const Kept kept : {Kept::kBatches, Kept::kDead}) {
    LIMPET_TRY(Walk(kept, 0));
    for (;;) {
      KeptRecord record;
      const Result<bool> more = Next(record);
      if (!more.ok() && more.status().code != Code::kInvalid) return more.status();
      if (!more.ok()) {
        findings.OnFinding(kept == Kept::kDead ? "dead letters: the rest does not read"
                                               : "batches: the rest does not read");
        break;
      }
      if (!more.value()) break;
      const std::span<uint8_t> into = buffer(record.record.blob_bytes());
      LIMPET_TRY(CheckRecord(kept, record, into, sums[static_cast<size_t>(kept)], findings, sound));
    }
  }
  Compare(sums[0], sums[1], findings);
  return sound;
}

}  // namespace limpet
