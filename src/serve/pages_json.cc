#include "serve/pages.h"

#include "base/calendar.h"

namespace limpet {
namespace {

/// Writes objects and arrays with their commas.
class Json {
 public:
  explicit Json(TextWriter& out) : out_(out) {}

  Json& Key(std::string_view key) {
    Comma();
    out_.Json(key) << ':';
    first_ = true;  // No comma before the value.
    return *this;
  }
  void Open(char bracket) {
    Comma();
    out_ << bracket;
    first_ = true;
  }
  void Close(char bracket) {
    out_ << bracket;
    first_ = false;
  }
  void Text(std::string_view value) {
    Comma();
    out_.Json(value);
  }
  void Number(uint64_t value) {
    Comma();
    out_ << value;
  }
  void Seconds(Duration value) {
    Comma();
    out_.Fixed(ToSeconds(value), 3);
  }
  void Bool(bool value) {
    Comma();
    out_ << (value ? "true" : "false");
  }
  void Null() {
    Comma();
    out_ << "null";
  }
  void Time(UnixTime time) {
    if (time == UnixTime{}) return Null();
    Comma();
    out_ << '"';
    WriteRfc3339(out_, time);
    out_ << '"';
  }

 private:
  void Comma() {
    if (!first_) out_ << ',';
    first_ = false;
  }

  TextWriter& out_;
  bool first_ = true;
};

void WriteHealth(const Snapshot& s, Json& json) {
  json.Open('{');
  json.Key("ok").Bool(s.health.ok);
  json.Key("delivery").Text(s.health.delivery);
  json.Key("reasons").Open('[');
  for (size_t i = 0; i < s.health.reason_count; ++i) json.Text(s.health.reasons[i]);
  json.Close(']');
  json.Close('}');
}

void WriteLedger(const Snapshot& s, Json& json) {
  json.Key("ledger").Open('{');
  for (const Signal signal : kSignals) {
    const Account& account = s.ledger[Index(signal)];
    json.Key(SignalName(signal)).Open('{');
    json.Key("collected").Number(account.collected);
    json.Key("delivered").Number(account.delivered);
    json.Key("rejected").Number(account.rejected);
    json.Key("dropped").Number(account.dropped_total());
    json.Key("dead").Number(account.dead);
    json.Key("held").Number(s.held[Index(signal)].total());
    json.Key("dropped_by").Open('{');
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      if (account.dropped[i] == 0) continue;
      json.Key(DropReasonName(static_cast<DropReason>(i))).Number(account.dropped[i]);
    }
    json.Close('}');
    json.Close('}');
  }
  json.Close('}');

  Held sum;
  for (const Held& held : s.held) {
    sum.open += held.open;
    sum.memory += held.memory;
    sum.spool += held.spool;
  }
  json.Key("held").Open('{');
  json.Key("open").Number(sum.open);
  json.Key("memory").Number(sum.memory);
  json.Key("spool").Number(sum.spool);
  json.Close('}');
}

void WriteStores(const Snapshot& s, Json& json) {
  json.Key("queue").Open('{');
  json.Key("batches").Number(s.queue.batches);
  json.Key("bytes").Number(s.queue.bytes);
  json.Key("capacity_bytes").Number(s.queue.capacity_bytes);
  json.Key("oldest_seconds").Seconds(s.queue.oldest);
  json.Close('}');
  json.Key("spool").Open('{');
  json.Key("state").Text(s.spool.state);
  if (s.spool.problem.empty()) {
    json.Key("problem").Null();
  } else {
    json.Key("problem").Text(s.spool.problem);
  }
  json.Key("batches").Number(s.spool.batches);
  json.Key("bytes").Number(s.spool.bytes);
  json.Key("max_bytes").Number(s.spool.max_bytes);
  json.Key("oldest_seconds").Seconds(s.spool.oldest);
  json.Key("written_bytes").Number(s.spool.written_bytes);
  json.Key("syncs").Number(s.spool.syncs);
  json.Key("damaged").Number(s.spool.damaged);
  json.Key("slowest_commit_seconds").Seconds(s.spool.slowest_commit);
  json.Close('}');
}

/// {"open": {"timeout": 2}, "closed": {"accepted": 1}}: what has happened.
void WriteTransitions(const DestinationView& d, Json& json) {
  json.Key("transitions").Open('{');
  for (const BreakerState to : {BreakerState::kClosed, BreakerState::kHalfOpen, BreakerState::kOpen}) {
    bool any = false;
    for (const TransitionCount& t : d.transitions) {
      if (t.to != to) continue;
      if (!any) json.Key(BreakerStateName(to)).Open('{');
      any = true;
      json.Key(BreakerReasonName(t.reason)).Number(t.count);
    }
    if (any) json.Close('}');
  }
  json.Close('}');
}

void WriteDestination(const DestinationView& d, Json& json) {
  json.Open('{');
  json.Key("name").Text(d.name);
  json.Key("url").Text(d.url);
  json.Key("priority").Number(d.priority);
  json.Key("active").Open('[');
  for (const Signal signal : kSignals) {
    if (d.active[Index(signal)]) json.Text(SignalName(signal));
  }
  json.Close(']');
  json.Key("breaker").Text(BreakerStateName(d.breaker));
  WriteTransitions(d, json);
  json.Key("in_flight").Bool(d.in_flight);
  json.Key("next_attempt_seconds").Seconds(d.next_attempt_in);
  json.Key("failback_seconds").Seconds(d.quiet_left);
  json.Key("last_success").Time(d.last_success);
  if (d.last_error.empty()) {
    json.Key("last_error").Null();
  } else {
    json.Key("last_error").Text(d.last_error);
  }
  json.Key("last_error_time").Time(d.last_error_time);
  json.Close('}');
}

void WriteSource(const SourceView& source, Json& json) {
  json.Open('{');
  json.Key("name").Text(source.name);
  const SourceCounts counts = CountsOf(source);
  for (const SourceCount& count : std::span(counts.counts).first(counts.size)) {
    json.Key(count.key).Number(count.value);
  }
  if (source.problem.empty()) {
    json.Key("problem").Null();
  } else {
    json.Key("problem").Text(source.problem);
  }
  json.Close('}');
}

void WriteClock(const Snapshot& s, Json& json) {
  json.Key("clock").Open('{');
  json.Key("state").Text(s.clock.state);
  if (s.clock.skew_known) {
    json.Key("skew_seconds").Seconds(s.clock.skew);
  } else {
    json.Key("skew_seconds").Null();
  }
  json.Key("steps").Number(s.clock.steps);
  json.Key("synchronized").Bool(s.clock.synchronized);
  json.Close('}');
}

}  // namespace

void WriteStatusJson(const Snapshot& snapshot, TextWriter& out) {
  Json json(out);
  json.Open('{');
  json.Key("version").Text(snapshot.version);
  json.Key("instance").Text(snapshot.instance);
  json.Key("uptime_seconds").Seconds(snapshot.uptime);
  json.Key("time").Time(snapshot.wall);
  json.Key("health");
  WriteHealth(snapshot, json);
  json.Key("ready").Bool(snapshot.health.ready);
  WriteLedger(snapshot, json);
  WriteStores(snapshot, json);
  json.Key("destinations").Open('[');
  for (const DestinationView& destination : snapshot.destinations) {
    WriteDestination(destination, json);
  }
  json.Close(']');
  json.Key("sources").Open('[');
  for (const SourceView& source : snapshot.sources) WriteSource(source, json);
  json.Close(']');
  WriteClock(snapshot, json);
  json.Key("pools").Open('[');
  for (const PoolUse& pool : snapshot.pools) {
    json.Open('{');
    json.Key("name").Text(pool.name);
    json.Key("bytes").Number(pool.bytes);
    json.Key("used").Number(pool.used);
    json.Key("peak").Number(pool.peak);
    json.Key("refused").Number(pool.refused);
    json.Close('}');
  }
  json.Close(']');
  json.Key("sandbox").Open('{');
  json.Close('}');
  json.Close('}');
  out << '\n';
}

void WriteHealthJson(const Snapshot& snapshot, TextWriter& out) {
  Json json(out);
  WriteHealth(snapshot, json);
  out << '\n';
}

void WriteReadyJson(const Snapshot& snapshot, TextWriter& out) {
  Json json(out);
  json.Open('{');
  json.Key("ready").Bool(snapshot.health.ready);
  json.Close('}');
  out << '\n';
}

}  // namespace limpet
