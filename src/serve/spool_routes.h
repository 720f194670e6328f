// What the commands ask of the spool of a running process, on the control socket alone. Answers need
// the worker, and no request waits for it: 202 says that the same is to be asked once more.
//
//   GET /spool/file?offset=N        bytes of the database between two transactions, from N on
//   POST /dead/retry[?id=1,2,...]   begins to move letters back into the line, or
//   POST /dead/purge[?id=1,2,...]   to delete them, all without `id`: 202 and a ticket
//   GET /dead/answer?ticket=T       how many it were; 404: not the last ticket
//
// 503: there is no spool to ask, and why.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/time.h"
#include "serve/http_server.h"
#include "spool/spool_memory.h"
#include "spool/spooler.h"

namespace limpet {

/// An answer of /spool/file: which state of the file, its size, then bytes from the offset on, none
/// behind the end. Numbers are little-endian. A state is a number that no other state has.
struct SpoolFileHead {
  static constexpr size_t kBytes = 16;
  uint64_t generation = 0, size = 0;

  std::array<char, kBytes> Write() const;
  /// head: kBytes of them.
  static SpoolFileHead Read(std::string_view head);
};

/// Invariants:
///  W1  A reader holds back commits for kHold with each request, and for kHoldMax in all; then one
///      has to go through, or kHoldMax has to pass, before it holds back any again.
///  W2  An answer that somebody waits for is kept for kPickUp before another takes its place.
class SpoolRoutes {
 public:
  static constexpr Duration kHold = Milliseconds(200);
  static constexpr Duration kHoldMax = Seconds(2);
  static constexpr Duration kPickUp = Milliseconds(50);

  /// buffer: SpoolMemory::FileBytes() bytes for as long as the spooler lives, the worker's for a time.
  SpoolRoutes(Spooler& spooler, Clock& clock, std::span<uint8_t> buffer)
      : spooler_(spooler), clock_(clock), buffer_(buffer) {}

  /// False: this path is none of these.
  bool Answer(const HttpRequest& request, HttpResponse& response);

 private:
  void File(const HttpRequest& request, HttpResponse& response);
  void Hold(MonoTime now);
  bool Ask(uint64_t offset, bool awaited);
  void WriteFile(HttpResponse& response);
  void Dead(DeadAction action, const HttpRequest& request, HttpResponse& response);
  void DeadAnswer(const HttpRequest& request, HttpResponse& response);
  bool Refuse(HttpResponse& response) const;

  Spooler& spooler_;
  Clock& clock_;
  const std::span<uint8_t> buffer_;

  // The part of the file that was asked for last.
  uint64_t offset_ = 0;
  bool asked_ = false;    // It is on its way.
  bool there_ = false;    // It lies in the buffer.
  bool awaited_ = false;  // Somebody was told to come back for it.
  MonoTime there_since_;
  Spooler::FileAnswer answer_;
  MonoTime hold_began_ = MonoTime{} - kHoldMax - kHoldMax;
  uint64_t hold_generation_ = 0;

  uint64_t ticket_ = 0;
  bool dead_asked_ = false;
};

}  // namespace limpet
