#include "serve/snapshot.h"

#include <algorithm>
#include <initializer_list>

namespace limpet {

SourceCounts CountsOf(const SourceView& source) {
  constexpr auto kAlways = SourceCount::Shown::kAlways;
  constexpr auto kWhenAny = SourceCount::Shown::kWhenAny;
  constexpr auto kAsDoubt = SourceCount::Shown::kAsDoubt;
  SourceCounts out;
  const auto set = [&](std::initializer_list<SourceCount> counts) {
    std::copy(counts.begin(), counts.end(), out.counts.begin());
    out.size = counts.size();
  };
  if (const CollectedView* const c = source.collected) {
    set({{"cycles", "cycle", "cycles", c->cycles, kAlways},
         {"skipped", "skipped", "skipped", c->skipped, kWhenAny},
         {"failed_in_a_row", "failed in a row", "failed in a row", c->failed_in_a_row, kAsDoubt}});
  } else if (const ReceivedView* const r = source.received) {
    set({{"requests", "request", "requests", r->requests, kAlways},
         {"items", "item", "items", r->items, kAlways},
         {"rejected", "item too large", "items too large", r->rejected, kAsDoubt},
         {"malformed", "refused", "refused", r->malformed, kAsDoubt},
         {"full", "asked to come again", "asked to come again", r->full, kAsDoubt}});
  } else if (const LoggedView* const l = source.logged) {
    set({{"records", "record", "records", l->records, kAlways},
         {"open", "open", "open", l->open, kWhenAny},
         {"filtered", "filtered", "filtered", l->filtered, kWhenAny},
         {"truncated", "truncated", "truncated", l->truncated, kWhenAny},
         {"invalid_utf8", "with invalid UTF-8", "with invalid UTF-8", l->invalid_utf8, kWhenAny},
         {"undecoded", "not decoded", "not decoded", l->undecoded, kWhenAny},
         {"dropped", "dropped", "dropped", l->dropped, kAsDoubt},
         {"lost", "lost", "lost", l->lost, kAsDoubt}});
  }
  return out;
}

}  // namespace limpet
