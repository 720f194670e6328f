#include "serve/self_metrics.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace limpet {
namespace {

constexpr auto kGauge = Instrument::kGauge;
constexpr auto kCounter = Instrument::kCounter;
constexpr auto kUpDown = Instrument::kUpDownCounter;

/// The reasons that are shown at zero, so that a rate over them exists before the first loss.
constexpr bool AlwaysShown(DropReason reason) {
  return reason == DropReason::kOverflow || reason == DropReason::kRefused ||
         reason == DropReason::kShutdown;
}

int64_t Signed(uint64_t value) { return static_cast<int64_t>(value); }

class Emitter {
 public:
  Emitter(const Snapshot& snapshot, MetricSink& sink) : s_(snapshot), sink_(sink) {}

  void Items();
  void Transitions(const DestinationView& d);
  void Destinations();
  void Spool();
  void Sources();
  void Clock();
  void Pools();
  void Process();

 private:
  bool Used(Signal signal) const { return s_.ledger[Index(signal)].collected > 0; }
  void Delivered(const Metric& metric,
                 std::array<uint64_t, kSignalCount> DestinationView::* counts);

  const Snapshot& s_;
  MetricSink& sink_;
};

void Emitter::Items() {
  sink_.Begin({"limpet.items.collected", "{item}", kCounter});
  for (const Signal signal : kSignals) {
    sink_.Int({{"signal", SignalName(signal)}}, Signed(s_.ledger[Index(signal)].collected));
  }
  Delivered({"limpet.items.delivered", "{item}", kCounter}, &DestinationView::delivered);
  Delivered({"limpet.items.rejected", "{item}", kCounter}, &DestinationView::rejected);

  sink_.Begin({"limpet.items.dropped", "{item}", kCounter});
  for (const Signal signal : kSignals) {
    if (!Used(signal)) continue;
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      const auto reason = static_cast<DropReason>(i);
      const uint64_t count = s_.ledger[Index(signal)].dropped[i];
      if (count == 0 && !AlwaysShown(reason)) continue;
      sink_.Int({{"signal", SignalName(signal)}, {"reason", DropReasonName(reason)}},
                Signed(count));
    }
  }

  sink_.Begin({"limpet.items.dead", "{item}", kUpDown});
  for (const Signal signal : kSignals) {
    if (!Used(signal)) continue;
    sink_.Int({{"signal", SignalName(signal)}}, Signed(s_.ledger[Index(signal)].dead));
  }

  sink_.Begin({"limpet.items.held", "{item}", kUpDown});
  for (const Signal signal : kSignals) {
    if (!Used(signal)) continue;
    const Held& held = s_.held[Index(signal)];
    const std::string_view name = SignalName(signal);
    sink_.Int({{"signal", name}, {"where", "open"}}, Signed(held.open));
    sink_.Int({{"signal", name}, {"where", "memory"}}, Signed(held.memory));
    sink_.Int({{"signal", name}, {"where", "spool"}}, Signed(held.spool));
  }
}

void Emitter::Delivered(const Metric& metric,
                        std::array<uint64_t, kSignalCount> DestinationView::* counts) {
  sink_.Begin(metric);
  for (const Signal signal : kSignals) {
    if (!Used(signal)) continue;
    for (const DestinationView& d : s_.destinations) {
      sink_.Int({{"signal", SignalName(signal)}, {"destination", d.name}},
                Signed((d.*counts)[Index(signal)]));
    }
  }
}

/// Those of an outage are shown at zero too, as the reasons of a drop are.
void Emitter::Transitions(const DestinationView& d) {
  const auto show = [&](BreakerState to, BreakerReason reason, uint64_t count) {
    sink_.Int({{"destination", d.name}, {"to", BreakerStateName(to)}, {"reason", BreakerReasonName(reason)}},
              Signed(count));
  };
  for (const TransitionCount& t : d.transitions) show(t.to, t.reason, t.count);
  for (const auto reason : {BreakerReason::kConnection, BreakerReason::kTimeout, BreakerReason::kStatus}) {
    const bool shown = std::any_of(d.transitions.begin(), d.transitions.end(), [&](const TransitionCount& t) {
      return t.to == BreakerState::kOpen && t.reason == reason;
    });
    if (!shown) show(BreakerState::kOpen, reason, 0);
  }
}

void Emitter::Destinations() {
  sink_.Begin({"limpet.in.flight", "{request}", kUpDown});
  for (const DestinationView& d : s_.destinations) {
    sink_.Int({{"destination", d.name}}, d.in_flight ? 1 : 0);
  }

  sink_.Begin({"limpet.requests", "{request}", kCounter});
  for (const DestinationView& d : s_.destinations) {
    for (const CodeCount& c : d.requests) {
      TextBuffer<16> code;
      if (c.code == 0) {
        code << "none";
      } else {
        code << c.code;
      }
      sink_.Int({{"destination", d.name}, {"code", code.text()}}, Signed(c.count));
    }
  }

  sink_.Begin({"limpet.request.duration", "s", Instrument::kHistogram});
  for (const DestinationView& d : s_.destinations) {
    const Attribute attributes[] = {{"destination", d.name}};
    sink_.Histogram(attributes, d.duration.bounds, d.duration.buckets, d.duration.sum);
  }

  sink_.Begin({"limpet.breaker.state", "1", kGauge});
  for (const DestinationView& d : s_.destinations) {
    sink_.Int({{"destination", d.name}}, static_cast<int64_t>(d.breaker));
  }

  sink_.Begin({"limpet.breaker.transitions", "{transition}", kCounter});
  for (const DestinationView& d : s_.destinations) Transitions(d);

  sink_.Begin({"limpet.destination.active", "1", kGauge});
  for (const DestinationView& d : s_.destinations) {
    for (const Signal signal : kSignals) {
      sink_.Int({{"destination", d.name}, {"signal", SignalName(signal)}},
                d.active[Index(signal)] ? 1 : 0);
    }
  }
}

void Emitter::Spool() {
  if (s_.spool.state == "off") return;
  sink_.Begin({"limpet.spool", "By", kUpDown});
  sink_.Int(Signed(s_.spool.bytes));
  sink_.Begin({"limpet.spool.written", "By", kCounter});
  sink_.Int(Signed(s_.spool.written_bytes));
  sink_.Begin({"limpet.spool.damaged", "{record}", kCounter});
  sink_.Int(Signed(s_.spool.damaged));
}

void Emitter::Sources() {
  struct Row {
    std::string_view mark;
    uint64_t LoggedView::* count;
  };
  constexpr Row rows[] = {{"truncated", &LoggedView::truncated},
                          {"invalid_utf8", &LoggedView::invalid_utf8},
                          {"undecoded", &LoggedView::undecoded}};
  sink_.Begin({"limpet.records.marked", "{record}", kCounter});
  for (const SourceView& source : s_.sources) {
    if (source.logged == nullptr) continue;
    for (const Row& row : rows) {
      sink_.Int({{"source", source.name}, {"mark", row.mark}}, Signed(source.logged->*row.count));
    }
  }

  sink_.Begin({"limpet.kernel.messages.lost", "{message}", kCounter});
  uint64_t lost = 0;
  bool any = false;
  for (const SourceView& source : s_.sources) {
    if (source.logged == nullptr || !source.logged->kernel) continue;
    any = true;
    lost += source.logged->lost;
  }
  if (any) sink_.Int(Signed(lost));
}

void Emitter::Clock() {
  sink_.Begin({"limpet.clock.steps", "{step}", kCounter});
  sink_.Int(Signed(s_.clock.steps));
  sink_.Begin({"limpet.clock.synchronized", "1", kGauge});
  sink_.Int(s_.clock.synchronized ? 1 : 0);
}

void Emitter::Pools() {
  struct Row {
    std::string_view name;
    size_t PoolUse::* field;
  };
  constexpr Row rows[] = {{"limpet.pool", &PoolUse::bytes},
                          {"limpet.pool.used", &PoolUse::used},
                          {"limpet.pool.peak", &PoolUse::peak}};
  for (const Row& row : rows) {
    sink_.Begin({row.name, "By", kUpDown});
    for (const PoolUse& pool : s_.pools) sink_.Int({{"pool", pool.name}}, Signed(pool.*row.field));
  }
}

void Emitter::Process() {
  sink_.Begin({"limpet.oldest.held", "s", kGauge});
  sink_.Double(ToSeconds(s_.queue.oldest));
  sink_.Begin({"limpet.tick.delay", "s", Instrument::kHistogram});
  sink_.Histogram({}, s_.tick_delay.bounds, s_.tick_delay.buckets, s_.tick_delay.sum);
  sink_.Begin({"limpet.build.info", "1", kGauge});
  sink_.Int({{"version", s_.version}}, 1);
}

}  // namespace

void EmitSelfMetrics(const Snapshot& snapshot, MetricSink& sink) {
  Emitter emitter(snapshot, sink);
  emitter.Items();
  emitter.Destinations();
  emitter.Spool();
  emitter.Sources();
  emitter.Clock();
  emitter.Pools();
  emitter.Process();
}

}  // namespace limpet
