#include "agent/health.h"

#include <gtest/gtest.h>

namespace limpet {
namespace {

/// An agent that has run for an hour and delivers.
HealthFacts Well() {
  HealthFacts facts;
  facts.started = MonoTime{} + Seconds(1000);
  facts.now = MonoTime{} + Seconds(4600);
  facts.last_answer = facts.last_accepted = facts.now - Seconds(5);
  facts.longest_pause = Seconds(120);
  facts.destination = "primary";
  return facts;
}

TEST(Health, Cases) {
  struct Case {
    const char* name;
    void (*change)(HealthFacts&);
    bool ok;
    const char* delivery;
    const char* reason;
  };
  constexpr Case cases[] = {
      {"well", [](HealthFacts&) {}, true, "ok", ""},
      {"nothing to deliver for long",
       [](HealthFacts& f) { f.last_accepted = f.now - Seconds(301); }, true, "idle", ""},
      {"nothing yet", [](HealthFacts& f) { f.last_answer = f.last_accepted = {}; }, true, "idle", ""},
      {"down, safely held",
       [](HealthFacts& f) {
         f.held = 100;
         f.held_since = f.now - Seconds(3000);
         f.last_answer = f.last_accepted = f.now - Seconds(3000);
         f.delivering = false;
       },
       true, "degraded", ""},
      {"answers but takes nothing",
       [](HealthFacts& f) {
         f.held = 100;
         f.held_since = f.last_accepted = f.now - Seconds(361);
         f.last_error = "500: the destination failed";
         f.delivering = false;
       },
       false, "stalled", "stalled: destination primary"},
      {"as long as three pauses it may",
       [](HealthFacts& f) {
         f.held = 100;
         f.held_since = f.last_accepted = f.now - Seconds(359);
         f.delivering = false;
       },
       true, "degraded", ""},
      {"idle for hours, then one item that fails",
       [](HealthFacts& f) {
         f.held = 1;
         f.held_since = f.now - Seconds(1);
         f.last_accepted = f.now - Seconds(3000);
         f.delivering = false;
       },
       true, "degraded", ""},
      {"misconfigured", [](HealthFacts& f) { f.misconfigured = true, f.last_error = "401: x"; },
       false, "ok", "destination primary is misconfigured: 401: x"},
      {"overflow", [](HealthFacts& f) { f.dropping = true; }, false, "ok", "overflow"},
      {"sources",
       [](HealthFacts& f) { f.all_sources_failed = true, f.source_problem = "cpu: gone"; }, false,
       "ok", "every source fails: cpu: gone"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    HealthFacts facts = Well();
    c.change(facts);
    Health health;
    health.Judge(facts);
    health.Judge(facts);  // Reasons do not add up.
    EXPECT_EQ(health.ok(), c.ok);
    EXPECT_EQ(health.delivery(), c.delivery);
    EXPECT_EQ(health.reason_count(), c.ok ? 0u : 1u);
    if (!c.ok) { EXPECT_TRUE(health.reason(0).starts_with(c.reason)) << health.reason(0); }
  }
}

}  // namespace
}  // namespace limpet
