// Splits one refused batch along its items, until those at fault stand alone: which part to send
// next, and which parts end as dead letters. The bytes are somebody else's.
//
// Parts are the nodes of a binary tree over the items, walked depth first, the earlier half first.
// One bad item among n costs at most 2·log2(n) + 2 requests, the refusal of the whole included.
//
// Invariants:
//  X1  Each item ends once, in an accepted part or in a letter; parts are accepted in order, and so
//      are letters made.
//  X2  A letter is the largest part of which every item was refused: two refused halves are one
//      letter, and a batch refused through and through is one, with the empty path.
//  X3  A suspect pass makes no letter before something of the batch was accepted.
#pragma once

#include <cstdint>
#include <optional>

#include "limpet/batch.h"

namespace limpet {

/// Items by their rank, `last` excluded.
struct ItemRange {
  uint32_t first = 0, last = 0;
  constexpr uint32_t size() const { return last - first; }
  constexpr bool operator==(const ItemRange&) const = default;
};

/// What a path stands for in a batch of so many items. Of an odd number the earlier half is the
/// smaller one. Empty where the path goes on below a single item.
ItemRange PartOf(uint32_t items, BisectPath path);

/// Why a part was refused.
enum class Refusal : uint8_t {
  kFault,     ///< Some item in it is at fault.
  kTooLarge,  ///< 413: each half may be welcome.
};

/// Plain state, to be kept in fixed memory. Begin, then until finished(): bury letter() when there
/// is one, else send path() and tell how it was answered. What has no final answer yet is sent again.
class Bisection {
 public:
  enum class Mode : uint8_t {
    kRefused,  ///< The answers speak of the items (400, 413, 422): what is refused, is dead.
    kSuspect,  ///< Perhaps the destination is at fault (5xx, all was refused lately): X3.
  };

  /// The whole batch was just refused.
  void Begin(uint32_t items, Mode mode, Refusal refusal);

  /// From here on the destination itself is suspected (a part was answered 5xx for too long).
  void Suspect() { mode_ = Mode::kSuspect; }

  /// The part to send now. In a suspect pass without an accepted item, the whole comes again before
  /// each next part: a destination that has been mended then takes all at once and in order.
  BisectPath path() const { return whole_again_ ? BisectPath{} : path_; }
  ItemRange range() const { return PartOf(items_, path()); }

  void Accepted();
  void Refused(Refusal refusal);

  /// A part to make a dead letter of before anything else is sent. Stays until Buried.
  std::optional<BisectPath> letter() const;
  void Buried();

  bool finished() const { return finished_ && letters_ == 0; }
  bool anything_accepted() const { return accepted_; }
  /// A suspect pass to whose end everything was refused: nothing became of any item, all stay held.
  bool nothing() const { return nothing_; }

 private:
  void Settle(Refusal refusal);
  void Descend(Refusal refusal);
  void Advance(bool explained);
  bool at_later_half() const;

  uint32_t items_ = 0;
  BisectPath path_;  // The part that is sent or has just been answered.
  Mode mode_ = Mode::kRefused;
  bool whole_again_ = false;
  bool accepted_ = false;  // Anything.
  bool part_refused_ = false;  // The part at path_, while letters are due.
  bool finished_ = true;
  bool nothing_ = false;

  // One bit for each length of a path, 0 to 32; the parts lie along path_.
  uint64_t faulty_ = 0;   // Refused for a fault, or known to hold one.
  uint64_t waiting_ = 0;  // Earlier halves refused throughout: letters, unless the later one is, too.
  uint64_t letters_ = 0;  // Letters due.
};

}  // namespace limpet
