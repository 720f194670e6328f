#include "agent/health.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr Duration kRecent = Seconds(300);

}  // namespace

template <typename... Parts>
void Health::Add(const Parts&... parts) {
  const size_t from = text_.size();
  (text_ << ... << parts);
  reasons_[reason_count_++] = text_.text().substr(from);
}

void Health::Judge(const HealthFacts& facts) {
  text_.Clear();
  reason_count_ = 0;

  // Stalled: it answers, yet takes nothing of what we hold, for longer than any pause explains.
  const bool answered = facts.last_answer != MonoTime{} && facts.now - facts.last_answer <= kRecent;
  const MonoTime since = std::max({facts.last_accepted, facts.started, facts.held_since});
  const bool stalled = answered && facts.held > 0 &&
                       facts.now - since > std::max(kRecent, facts.longest_pause * 3);
  if (stalled) {
    delivery_ = "stalled";
  } else if (!facts.delivering) {
    delivery_ = "degraded";
  } else if (facts.held == 0 && (facts.last_accepted == MonoTime{} ||
                                 facts.now - facts.last_accepted > kRecent)) {
    delivery_ = "idle";
  } else {
    delivery_ = "ok";
  }

  if (facts.all_sources_failed) Add("every source fails: ", facts.source_problem);
  if (facts.misconfigured) {
    Add("destination ", facts.destination, " is misconfigured: ", facts.last_error);
  } else if (stalled) {
    Add("stalled: destination ", facts.destination,
        " answers but has accepted nothing for ",
        (facts.now - since).ns / 60'000'000'000, " minutes: ", facts.last_error);
  }
  if (facts.dropping) Add("overflow: items are being dropped");
  if (!facts.spool_problem.empty()) Add("the spool cannot be used: ", facts.spool_problem);
}

}  // namespace limpet
