// How many bytes may leave now, so that no more than so many leave in a second on average.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "limpet/time.h"

namespace limpet {

/// What was not used is kept for a second; what was used in excess is made up for.
class RateLimit {
 public:
  /// bytes_per_second: 0 = no limit.
  explicit RateLimit(uint32_t bytes_per_second) : rate_(bytes_per_second), credit_(rate_) {}

  bool limited() const { return rate_ > 0; }

  /// 0 until there is enough for a piece that is worth its headers.
  size_t Allowed(MonoTime now) {
    if (!limited()) return SIZE_MAX;
    if (last_ != MonoTime{}) credit_ = std::min(rate_, credit_ + rate_ * ToSeconds(now - last_));
    last_ = now;
    return credit_ < Piece() ? 0 : static_cast<size_t>(credit_);
  }

  void Spend(size_t bytes) { credit_ -= limited() ? static_cast<double>(bytes) : 0; }

  /// When Allowed turns positive, after it was 0.
  MonoTime next() const {
    return last_ + Nanoseconds(static_cast<int64_t>((Piece() - credit_) / rate_ * 1e9) + 1'000'000);
  }

 private:
  double Piece() const { return std::min(rate_, 1024.0); }

  double rate_;
  double credit_;
  MonoTime last_;  // When credit_ was true; 0: never yet.
};

}  // namespace limpet
