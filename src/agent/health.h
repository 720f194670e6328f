// Is the agent well? The rules of spec.md section 7, over plain facts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "limpet/time.h"

namespace limpet {

struct HealthFacts {
  MonoTime now, started;
  uint64_t held = 0;                 ///< Items of all signals.
  MonoTime held_since = kNever;      ///< Since when something has been held without a break.
  MonoTime last_answer, last_accepted;  ///< The epoch: never.
  Duration longest_pause;
  bool delivering = true;            ///< The last attempt was not a failure.
  bool misconfigured = false;        ///< The only destination says that we are.
  std::string_view destination, last_error;
  bool dropping = false;             ///< Items are lost for want of room, or to damage.
  std::string_view spool_problem;    ///< The spool is wanted and cannot be used.
  bool all_sources_failed = false;   ///< Each for 3 intervals.
  std::string_view source_problem;
};

/// The verdict and its reasons, as texts that live as long as this.
class Health {
 public:
  void Judge(const HealthFacts& facts);

  bool ok() const { return reason_count_ == 0; }
  std::string_view delivery() const { return delivery_; }
  size_t reason_count() const { return reason_count_; }
  std::string_view reason(size_t i) const { return reasons_[i]; }

 private:
  template <typename... Parts>
  void Add(const Parts&... parts);

  TextBuffer<1024> text_;
  std::array<std::string_view, 4> reasons_;
  size_t reason_count_ = 0;
  std::string_view delivery_ = "idle";
};

}  // namespace limpet
