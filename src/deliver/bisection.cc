#include "deliver/bisection.h"

#include <algorithm>
#include <bit>

#include "limpet/status.h"

namespace limpet {
namespace {

constexpr uint32_t kPathBits = 32;

constexpr uint64_t Bit(uint32_t length) { return uint64_t{1} << length; }

/// The part that is split in two to get the one at `path`.
BisectPath ParentOf(BisectPath path) {
  --path.length;
  path.bits &= static_cast<uint32_t>(Bit(path.length) - 1);
  return path;
}

}  // namespace

ItemRange PartOf(uint32_t items, BisectPath path) {
  ItemRange part{0, items};
  const uint32_t length = std::min<uint32_t>(path.length, kPathBits);
  for (uint32_t i = 0; i < length; ++i) {
    const uint32_t middle = part.first + part.size() / 2;
    ((path.bits >> i & 1) != 0 ? part.first : part.last) = middle;
  }
  return part;
}

bool Bisection::at_later_half() const {
  return path_.length > 0 && (path_.bits & Bit(path_.length - 1)) != 0;
}

void Bisection::Begin(uint32_t items, Mode mode, Refusal refusal) {
  *this = {};
  items_ = items;
  mode_ = mode;
  finished_ = false;
  Settle(refusal);
}

void Bisection::Accepted() {
  LIMPET_CHECK(!finished_ && letters_ == 0);
  accepted_ = true;
  if (whole_again_) {
    whole_again_ = false;
    waiting_ = 0;
    finished_ = true;
    return;
  }
  // No part around this one is refused throughout any more.
  letters_ = waiting_;
  waiting_ = 0;
  part_refused_ = false;
  if (letters_ == 0) Advance(false);
}

void Bisection::Refused(Refusal refusal) {
  LIMPET_CHECK(!finished_ && letters_ == 0);
  if (whole_again_) {
    whole_again_ = false;
    return;
  }
  Settle(refusal);
  whole_again_ = mode_ == Mode::kSuspect && !accepted_ && !finished_;
}

/// The part at path_ was refused.
void Bisection::Settle(Refusal refusal) {
  if (range().size() > 1) {
    Descend(refusal);
    return;
  }
  // X2: up to the largest part that was refused throughout.
  while (at_later_half() && (waiting_ & Bit(path_.length)) != 0) {
    waiting_ &= ~Bit(path_.length);
    path_ = ParentOf(path_);
  }
  if (path_.length > 0 && !at_later_half()) {
    waiting_ |= Bit(path_.length);
    Advance(true);
    return;
  }
  // A letter: of its sibling, the earlier half, something was accepted (X3), whereupon all that
  // waited was buried.
  if (path_.length == 0) {
    finished_ = true;
    nothing_ = mode_ == Mode::kSuspect;
    if (nothing_) return;
  }
  letters_ = Bit(path_.length);
  part_refused_ = true;
}

/// On to the earlier half of the part at path_.
void Bisection::Descend(Refusal refusal) {
  faulty_ &= ~Bit(path_.length);
  if (refusal == Refusal::kFault) faulty_ |= Bit(path_.length);
  ++path_.length;
}

/// On to the next part after the one at path_. explained: the refusals of the parts around it need
/// no other fault than those found.
void Bisection::Advance(bool explained) {
  explained |= at_later_half();
  while (at_later_half()) path_ = ParentOf(path_);
  if (path_.length == 0) {
    finished_ = true;
    return;
  }
  path_.bits |= static_cast<uint32_t>(Bit(path_.length - 1));
  // A part refused for a fault, whose earlier half was welcome, has it in the later one: no need to
  // ask for that as a whole.
  const bool fault_here = !explained && (faulty_ & Bit(path_.length - 1)) != 0;
  if (fault_here && range().size() > 1) Descend(Refusal::kFault);
}

std::optional<BisectPath> Bisection::letter() const {
  if (letters_ == 0) return std::nullopt;
  // The shortest is the earliest.
  const auto length = static_cast<uint8_t>(std::countr_zero(letters_));
  BisectPath path{path_.bits & static_cast<uint32_t>(Bit(length) - 1), length};
  // Of an accepted part's surroundings the earlier halves are due; of a refused one it is itself.
  if (!part_refused_ && length > 0) path.bits &= ~static_cast<uint32_t>(Bit(length - 1));
  return path;
}

void Bisection::Buried() {
  LIMPET_CHECK(letters_ != 0);
  letters_ &= letters_ - 1;
  if (letters_ == 0 && !finished_) Advance(part_refused_);
}

}  // namespace limpet
