// The account of every item: what entered, and where each one ended or is.
//
// Invariants:
//  L1  collected = delivered + rejected + dropped + dead + held, per signal, after every event.
//  L2  delivered, rejected and dropped only grow.
//  L3  `held` is counted by the places that own items (open batch, queue, spool), never derived,
//      so that L1 can fail when an item is lost.
#pragma once

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
  uint64_t dead = 0;

  uint64_t dropped_total() const;
  bool Balances(const Held& held) const {
    return collected == delivered + rejected + dropped_total() + dead + held.total();
  }
};

class Ledger {
 public:
  void Collect(Signal signal, uint64_t items) { accounts_[Index(signal)].collected += items; }
  void Deliver(Signal signal, uint64_t items) { accounts_[Index(signal)].delivered += items; }
  void Reject(Signal signal, uint64_t items) { accounts_[Index(signal)].rejected += items; }
  void Drop(Signal signal, DropReason reason, uint64_t items) {
    accounts_[Index(signal)].dropped[static_cast<size_t>(reason)] += items;
  }
  const Account& account(Signal signal) const { return accounts_[Index(signal)]; }

 private:
  std::array<Account, kSignalCount> accounts_{};
};

}  // namespace limpet
