// The account of every item: what entered, and where each one ended or is.
//
// Invariants:
//  L1  collected = delivered + rejected + dropped + dead + held, per signal, after every event.
//  L2  delivered, rejected and dropped only grow.
//  L3  `held` is counted by the places that own items (open batch, queue, spool), never derived,
//      so that L1 can fail when an item is lost.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpet/batch.h"

namespace limpet {

/// Why an item was dropped, in the order of spec.md section 7.
enum class DropReason : uint8_t {
  kOverflow,
  kMaxAge,
  kRateLimit,
  kUnknown,
  kClockOverlap,
  kRefused,
  kDamaged,
  kShutdown,
  kSourceFull,
  kDeadPurged,
  kDeadOverflow,
};
inline constexpr size_t kDropReasonCount = 11;
/// The reason as spec.md names it: "overflow", …
std::string_view DropReasonName(DropReason reason);

/// Where items are held (spec.md promise 1).
struct Held {
  uint64_t open = 0, memory = 0, spool = 0;
  uint64_t total() const { return open + memory + spool; }
};

struct Account {
  uint64_t collected = 0;
  uint64_t delivered = 0;
  uint64_t rejected = 0;
  std::array<uint64_t, kDropReasonCount> dropped{};
  uint64_t dead = 0;  ///< Refused, kept in the spool.

  uint64_t dropped_total() const;
  bool Balances(const Held& held) const {
    return collected == delivered + rejected + dropped_total() + dead + held.total();
  }
};

/// What was dropped since somebody last asked, with the times that it was collected at, as far as
/// they are known (0: not).
struct Loss {
  uint64_t items = 0;
  UnixTime first, last;
};

class Ledger {
 public:
  void Collect(Signal signal, uint64_t items) { accounts_[Index(signal)].collected += items; }
  /// Of what was collected in this turn: it has not entered after all.
  void Withdraw(Signal signal, uint64_t items) { accounts_[Index(signal)].collected -= items; }
  void Deliver(Signal signal, uint64_t items) { accounts_[Index(signal)].delivered += items; }
  void Reject(Signal signal, uint64_t items) { accounts_[Index(signal)].rejected += items; }
  /// first, last: wall times of the items' collection, 0 where not known.
  void Drop(Signal signal, DropReason reason, uint64_t items, UnixTime first = {},
            UnixTime last = {});
  /// The same, of items that the account has among the dropped already.
  void Note(Signal signal, DropReason reason, uint64_t items, UnixTime first = {},
            UnixTime last = {});
  void Bury(Signal signal, uint64_t items) { accounts_[Index(signal)].dead += items; }
  void Exhume(Signal signal, uint64_t items) {
    uint64_t& dead = accounts_[Index(signal)].dead;
    dead -= std::min(dead, items);
  }

  /// Adds what an earlier process counted, as it lies in the spool. held: what it still held.
  void Resume(Signal signal, const Account& kept, uint64_t held);

  const Account& account(Signal signal) const { return accounts_[Index(signal)]; }
  /// What was dropped since the last call, for whoever tells of it.
  Loss TakeLoss(Signal signal, DropReason reason);

 private:
  std::array<Account, kSignalCount> accounts_{};
  std::array<std::array<Loss, kDropReasonCount>, kSignalCount> losses_{};
};

}  // namespace limpet
