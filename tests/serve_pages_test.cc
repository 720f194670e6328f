// What is shown of one made-up moment: each page in full, so that a change of a name is seen.
#include "serve/pages.h"

#include <array>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "serve/prometheus.h"
#include "serve/routes.h"
#include "serve/self_metrics.h"
#include "serve_sample.h"

namespace limpet {
namespace {

template <typename Write>
std::string Text(Write write) {
  static char page[128 * 1024];
  TextWriter out(page);
  write(out);
  EXPECT_FALSE(out.overflowed());
  return std::string(out.text());
}

std::string MetricsText(const Snapshot& snapshot, PrometheusFormat format) {
  return Text([&](TextWriter& out) {
    PrometheusSink sink(out, format);
    EmitSelfMetrics(snapshot, sink);
    sink.Finish();
  });
}

/// A small reader of JSON that notes each name with its path, and fails on anything malformed.
class JsonNames {
 public:
  explicit JsonNames(std::string_view text) : rest_(text) {
    good_ = Value("") && rest_ == "\n";
  }
  bool good() const { return good_; }
  bool has(const std::string& path) const { return names_.contains(path); }

 private:
  bool Take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool String(std::string* into) {
    if (!Take('"')) return false;
    while (!rest_.empty() && rest_[0] != '"') {
      if (rest_[0] == '\\') rest_.remove_prefix(1);
      if (rest_.empty() || static_cast<unsigned char>(rest_[0]) < 0x20) return false;
      *into += rest_[0];
      rest_.remove_prefix(1);
    }
    return Take('"');
  }
  bool List(const std::string& path, bool object) {
    const char end = object ? '}' : ']';
    if (Take(end)) return true;
    do {
      std::string name;
      if (object && (!String(&name) || !Take(':'))) return false;
      const std::string inner = !object ? path + "[]" : path.empty() ? name : path + "." + name;
      if (object && inner.find("[]") == std::string::npos && names_.contains(inner)) return false;
      names_.insert(inner);
      if (!Value(inner)) return false;
    } while (Take(','));
    return Take(end);
  }
  bool Value(const std::string& path) {
    if (Take('{')) return List(path, true);
    if (Take('[')) return List(path, false);
    std::string ignored;
    if (rest_.starts_with('"')) return String(&ignored);
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return true;
    }
    const size_t length = std::min(rest_.find_first_not_of("-0123456789."), rest_.size());
    rest_.remove_prefix(length);
    return length != 0;
  }

  std::string_view rest_;
  std::set<std::string> names_;
  bool good_ = false;
};

TEST(StatusJson, HasEveryNameOfTheSpecification) {
  const Sample sample;
  const std::string text =
      Text([&](TextWriter& out) { WriteStatusJson(sample.snapshot, out); });
  const JsonNames names(text);
  ASSERT_TRUE(names.good()) << text;
  for (const char* name :
       {"version", "instance", "uptime_seconds", "health.ok", "health.delivery", "health.reasons",
        "ledger.metrics.collected", "ledger.metrics.delivered", "ledger.metrics.rejected",
        "ledger.metrics.dropped", "ledger.metrics.dead", "ledger.metrics.held",
        "ledger.logs.collected", "ledger.traces.held", "held.open", "held.memory", "held.spool",
        "queue.batches", "queue.bytes", "queue.capacity_bytes", "queue.oldest_seconds",
        "spool.state", "spool.batches", "spool.bytes", "spool.max_bytes", "spool.written_bytes",
        "spool.slowest_commit_seconds", "spool.problem", "spool.oldest_seconds", "spool.syncs",
        "spool.damaged", "destinations[].name", "destinations[].url",
        "destinations[].priority", "destinations[].active", "destinations[].breaker",
        "destinations[].last_success", "destinations[].last_error", "destinations[].transitions",
        "destinations[].failback_seconds", "sources[].name",
        "clock.state", "clock.skew_seconds", "clock.steps", "pools[].name", "pools[].bytes",
        "pools[].used", "pools[].peak", "sandbox"}) {
    EXPECT_TRUE(names.has(name)) << name;
  }
}

TEST(StatusJson, Text) {
  const Sample sample;
  EXPECT_EQ(
      Text([&](TextWriter& out) { WriteStatusJson(sample.snapshot, out); }),
      R"({"version":"1.2.3","instance":"7f3a","uptime_seconds":93784.500,)"
      R"("time":"2023-11-14T22:13:20.000Z",)"
      R"("health":{"ok":false,"delivery":"stalled","reasons":["destination \"primary\": 401"]},)"
      R"("ready":true,)"
      R"("ledger":{"metrics":{"collected":1000,"delivered":900,"rejected":3,"dropped":7,"dead":0,)"
      R"("held":90,"dropped_by":{"overflow":5,"refused":2}},)"
      R"("logs":{"collected":0,"delivered":0,"rejected":0,"dropped":0,"dead":0,"held":0,)"
      R"("dropped_by":{}},)"
      R"("traces":{"collected":0,"delivered":0,"rejected":0,"dropped":0,"dead":0,"held":0,)"
      R"("dropped_by":{}}},)"
      R"("held":{"open":10,"memory":80,"spool":0},)"
      R"("queue":{"batches":3,"bytes":2048,"capacity_bytes":716800,"oldest_seconds":125.000},)"
      R"("spool":{"state":"off","problem":null,"batches":0,"bytes":0,"max_bytes":0,)"
      R"("oldest_seconds":0.000,"written_bytes":0,"syncs":0,"damaged":0,)"
      R"("slowest_commit_seconds":0.000},)"
      R"("destinations":[{"name":"primary","url":"https://gateway.example:4318","priority":1,)"
      R"("active":["metrics"],"breaker":"open",)"
      R"("transitions":{"half_open":{"probe":2},"open":{"misconfigured":2,"timeout":1}},)"
      R"("in_flight":false,"next_attempt_seconds":5.000,"failback_seconds":0.000,)"
      R"("last_success":"2023-11-14T22:10:20.000Z","last_error":"401 Unauthorized: check the token",)"
      R"("last_error_time":"2023-11-14T22:13:18.000Z"}],)"
      R"("sources":[{"name":"host","cycles":1,"skipped":2,"failed_in_a_row":0,)"
      R"("problem":"memory: not found"}],)"
      R"("clock":{"state":"unsynchronized","skew_seconds":null,"steps":1,"synchronized":false},)"
      R"("pools":[{"name":"queue","bytes":716800,"used":2048,"peak":700000,"refused":0},)"
      R"({"name":"tls","bytes":512,"used":0,"peak":0,"refused":4}],)"
      R"("sandbox":{}})"
      "\n");
}

TEST(StatusJson, EmptySnapshotParses) {
  const std::string text = Text([](TextWriter& out) { WriteStatusJson(Snapshot{}, out); });
  EXPECT_TRUE(JsonNames(text).good()) << text;
}

TEST(StatusText, Plain) {
  const Sample sample;
  EXPECT_EQ(Text([&](TextWriter& out) { WriteStatusText(sample.snapshot, false, out); }),
            R"(limpet 1.2.3  up 1 d 2 h  NOT HEALTHY  delivery stalled
  ! destination "primary": 401
instance 7f3a

                 collected    delivered  rejected   dropped    dead      held
metrics               1000          900         3         7       0        90
logs                     0            0         0         0       0         0
traces                   0            0         0         0       0         0
dropped      metrics: 5 overflow, 2 refused

held         10 open, 80 in memory, 0 in the spool
queue        3 batches, 2.0 KiB of 700.0 KiB (0 %), oldest 2 min 5 s
spool        off
destination  primary  https://gateway.example:4318
             priority 1, breaker open, active for metrics
             last success 3 min ago, next attempt in 5 s
             last error 2 s ago: 401 Unauthorized: check the token
source       host  1 cycle, 2 skipped: memory: not found
clock        unsynchronized, 1 step

pool                bytes        used        peak  peak %   refused
queue           700.0 KiB     2.0 KiB   683.6 KiB      97         0
tls                 512 B         0 B         0 B       0         4
)");
}

// Each kind of source has its own counts: all of them in JSON, to people those that say something.
TEST(Pages, EveryKindOfSource) {
  Sample sample;
  const CollectedView once{.cycles = 1};
  const ReceivedView received{.requests = 1, .items = 20, .rejected = 2, .malformed = 1, .full = 3};
  const LoggedView app{.records = 1}, kernel{.records = 7, .lost = 5, .kernel = true};
  const LoggedView all{.records = 90, .filtered = 1, .dropped = 2, .truncated = 3, .invalid_utf8 = 4, .undecoded = 5,
                       .lost = 6, .open = 8};
  const SourceView sources[] = {{.name = "self", .collected = &once},       {.name = "receive.otlp", .received = &received},
                                {.name = "log.app", .logged = &app},        {.name = "log.all", .logged = &all},
                                {.name = "log.kernel", .logged = &kernel}};
  Snapshot& s = sample.snapshot;
  s.sources = sources;
  const std::string text = Text([&](TextWriter& out) { WriteStatusText(s, false, out); });
  const size_t at = text.find("source  ");
  EXPECT_EQ(text.substr(at, text.find("\nclock") + 1 - at),
            R"(source       self  1 cycle
source       receive.otlp  1 request, 20 items, 2 items too large, 1 refused, 3 asked to come again
source       log.app  1 record
source       log.all  90 records, 8 open, 1 filtered, 3 truncated, 4 with invalid UTF-8, 5 not decoded, 2 dropped, 6 lost
source       log.kernel  7 records, 5 lost
)");
  const std::string json = Text([&](TextWriter& out) { WriteStatusJson(s, out); });
  EXPECT_TRUE(JsonNames(json).good()) << json;
  for (const char* row :
       {R"({"name":"receive.otlp","requests":1,"items":20,"rejected":2,"malformed":1,"full":3,"problem":null})",
        R"({"name":"log.app","records":1,"open":0,"filtered":0,"truncated":0,"invalid_utf8":0,"undecoded":0,)"
        R"("dropped":0,"lost":0,"problem":null})"}) {
    EXPECT_NE(json.find(row), std::string::npos) << row << " in " << json;
  }
  const std::string metrics = MetricsText(s, PrometheusFormat::kText);
  for (const char* row : {"limpet_records_marked_total{source=\"log.app\",mark=\"truncated\"} 0\n",
                          "limpet_records_marked_total{source=\"log.all\",mark=\"truncated\"} 3\n",
                          "limpet_records_marked_total{source=\"log.all\",mark=\"invalid_utf8\"} 4\n",
                          "limpet_records_marked_total{source=\"log.all\",mark=\"undecoded\"} 5\n",
                          "limpet_kernel_messages_lost_total 5\n"}) {
    EXPECT_NE(metrics.find(row), std::string::npos) << row << " in " << metrics;
  }
  EXPECT_EQ(MetricsText(Sample().snapshot, PrometheusFormat::kText).find("kernel"), std::string::npos);
}

// Which takes what, what is wrong with the others, and when that may change.
TEST(StatusText, SeveralDestinations) {
  Sample sample;
  std::array<DestinationView, 3> destinations{};
  destinations[0] = sample.destinations[0];
  destinations[0].active = {};
  destinations[1].name = "fallback";
  destinations[1].url = "https://backup.example:4318";
  destinations[1].priority = 2;
  destinations[1].active = {true, true, true};
  destinations[1].in_flight = true;
  destinations[1].last_success = sample.snapshot.wall;
  constexpr std::array<TransitionCount, 1> kOnce{{{BreakerState::kOpen, BreakerReason::kConnection, 1}}};
  destinations[2].name = "again";
  destinations[2].url = "http://10.0.0.7:4318";
  destinations[2].transitions = kOnce;
  destinations[2].quiet_left = Seconds(25);
  destinations[2].last_error = "connection refused";
  destinations[2].last_error_time = sample.snapshot.wall - Seconds(70);
  sample.snapshot.destinations = destinations;
  const std::string text = Text([&](TextWriter& out) { WriteStatusText(sample.snapshot, false, out); });
  const size_t at = text.find("destination  ");
  EXPECT_EQ(text.substr(at, text.find("\nsource") + 1 - at),
            R"(destination  primary  https://gateway.example:4318
             priority 1, breaker open, no traffic
             last success 3 min ago, next attempt in 5 s
             last error 2 s ago: 401 Unauthorized: check the token
destination  fallback  https://backup.example:4318
             priority 2, breaker closed, active for metrics, logs, traces
             last success 0 s ago, a request in flight
destination  again  http://10.0.0.7:4318
             priority 1, breaker closed, no traffic
             last success never, works again: healthy in 25 s
             last error 1 min 10 s ago: connection refused
)");
}

/// All there can be of eight destinations: names, counts, codes and transitions, an error of nothing
/// but bytes that JSON writes as six.
struct Worst {
  Worst() {
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = {static_cast<int>(200 + i), UINT64_MAX / 2};
    for (size_t i = 0; i < transitions.size(); ++i) {
      transitions[i] = {i % 2 == 0 ? BreakerState::kOpen : BreakerState::kHalfOpen,
                        static_cast<BreakerReason>(i / 2), UINT64_MAX / 2};
    }
    durations.fill(UINT64_MAX / 32);
    Snapshot& s = sample.snapshot;
    for (const Signal signal : kSignals) {
      Account& account = s.ledger[Index(signal)];
      account.collected = account.delivered = account.rejected = account.dead = UINT64_MAX / 2;
      account.dropped.fill(UINT64_MAX / 32);
      s.held[Index(signal)] = {.open = UINT64_MAX / 8, .memory = UINT64_MAX / 8, .spool = UINT64_MAX / 8};
    }
    for (size_t i = 0; i < destinations.size(); ++i) {
      names[i] = std::string(31, 'n') + std::to_string(i);
      DestinationView& d = destinations[i];
      d.name = names[i];
      d.url = url;
      d.priority = 1000;
      d.active = {true, true, true};
      d.breaker = BreakerState::kHalfOpen;
      d.last_success = d.last_error_time = s.wall;
      d.last_error = error;
      d.next_attempt_in = d.quiet_left = Seconds(30 * 86400);
      d.requests = codes;
      d.transitions = transitions;
      d.duration = {bounds, durations, 1234567.12345678};
      d.delivered.fill(UINT64_MAX / 2);
      d.rejected.fill(UINT64_MAX / 2);
    }
    s.destinations = destinations;
    s.health.reasons.fill(reason);
    s.health.reason_count = 4;
    s.spool = {.state = "unusable", .problem = reason, .max_bytes = UINT64_MAX / 2};
    s.sources = sources;
    sources[0] = {.name = "host", .problem = reason, .collected = &collected};
    sources[1] = {.name = "self", .collected = &collected};
    sources[2] = {.name = "receive.otlp", .received = &received};
    for (size_t i = 0; i < kLogSourcesMax; ++i) {
      log_names[i] = "log." + std::string(30, 'n') + std::to_string(10 + i);
      sources[3 + i] = {.name = log_names[i], .logged = &logged};
    }
    for (PoolUse& pool : pools) pool = {"delivery", SIZE_MAX / 2, SIZE_MAX / 2, SIZE_MAX / 2, SIZE_MAX / 2};
    s.pools = pools;
  }

  Sample sample;
  std::array<CodeCount, 24> codes{};
  std::array<TransitionCount, 16> transitions{};
  std::array<double, 10> bounds{0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60};
  std::array<uint64_t, 11> durations{};
  std::array<std::string, kDestinationsMax> names;
  const std::string url = "https://" + std::string(4000, 'u');
  const std::string error = std::string(320, '\x01'), reason = std::string(256, '\x01');
  std::array<DestinationView, kDestinationsMax> destinations{};
  static constexpr uint64_t kMost = UINT64_MAX / 2;
  const CollectedView collected{kMost, kMost, UINT32_MAX};
  const ReceivedView received{kMost, kMost, kMost, kMost, kMost};
  const LoggedView logged{kMost, kMost, kMost, kMost, kMost, kMost, kMost / kLogSourcesMax, kMost, true};
  std::array<std::string, kLogSourcesMax> log_names;
  std::array<SourceView, 3 + kLogSourcesMax> sources{};
  std::array<PoolUse, 13> pools{};
};

TEST(Pages, TheLargestFit) {
  const Worst worst;
  constexpr size_t kPage = PageBytes(kDestinationsMax, kLogSourcesMax);
  const Snapshot& s = worst.sample.snapshot;
  const std::string json = Text([&](TextWriter& out) { WriteStatusJson(s, out); });
  EXPECT_TRUE(JsonNames(json).good());
  EXPECT_LE(json.size(), kPage);
  EXPECT_LE(Text([&](TextWriter& out) { WriteStatusText(s, true, out); }).size(), kPage);
  EXPECT_LE(MetricsText(s, PrometheusFormat::kText).size(), kPage);
  EXPECT_LE(MetricsText(s, PrometheusFormat::kOpenMetrics).size(), kPage);
  // Not far from the truth either.
  EXPECT_GE(std::max(json.size(), MetricsText(s, PrometheusFormat::kText).size()), kPage / 2);
}

TEST(Pages, TheLargestOfOneDestinationFit) {
  Worst worst;
  Snapshot& s = worst.sample.snapshot;
  s.destinations = std::span(worst.destinations).first(1);
  EXPECT_LE(Text([&](TextWriter& out) { WriteStatusJson(s, out); }).size(), PageBytes(1, kLogSourcesMax));
  EXPECT_LE(MetricsText(s, PrometheusFormat::kText).size(), PageBytes(1, kLogSourcesMax));
}

TEST(Spool, IsShownWhereItIsWanted) {
  Sample sample;
  auto& spool = sample.snapshot.spool;
  spool.state = "spilling";
  spool.batches = 1;
  spool.bytes = 3 << 20;
  spool.max_bytes = 64 << 20;
  spool.written_bytes = 5 << 20;
  spool.syncs = 9;
  spool.oldest = Seconds(125);
  spool.slowest_commit = Milliseconds(1250);
  const auto json = [&] {
    return Text([&](TextWriter& out) { WriteStatusJson(sample.snapshot, out); });
  };
  const auto line = [&] {
    const std::string text =
        Text([&](TextWriter& out) { WriteStatusText(sample.snapshot, false, out); });
    const size_t at = text.find("\nspool ") + 1;
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_NE(json().find(R"("spool":{"state":"spilling","problem":null,"batches":1,"bytes":3145728,)"
                        R"("max_bytes":67108864,"oldest_seconds":125.000,"written_bytes":5242880,)"
                        R"("syncs":9,"damaged":0,"slowest_commit_seconds":1.250})"),
            std::string::npos)
      << json();
  EXPECT_EQ(line(), "spool        spilling, 1 batch, 3.0 MiB of 64.0 MiB, oldest 2 min 5 s");
  EXPECT_NE(MetricsText(sample.snapshot, PrometheusFormat::kText)
                .find("# TYPE limpet_spool_bytes gauge\nlimpet_spool_bytes 3145728\n"
                      "# TYPE limpet_spool_written_bytes_total counter\n"
                      "limpet_spool_written_bytes_total 5242880\n"
                      "# TYPE limpet_spool_damaged_total counter\nlimpet_spool_damaged_total 0\n"),
            std::string::npos);

  spool.state = "unusable";
  spool.problem = "/var/lib/limpet: read-only";
  spool.batches = 2;
  spool.oldest = {};
  spool.damaged = 1;
  EXPECT_NE(json().find(R"("problem":"/var/lib/limpet: read-only")"), std::string::npos);
  EXPECT_NE(json().find(R"("damaged":1)"), std::string::npos);
  EXPECT_EQ(line(), "spool        unusable, 2 batches, 3.0 MiB of 64.0 MiB, 1 damaged: "
                    "/var/lib/limpet: read-only");

  spool = {};
  EXPECT_EQ(line(), "spool        off");
  EXPECT_EQ(MetricsText(sample.snapshot, PrometheusFormat::kText).find("limpet_spool"),
            std::string::npos);
}

TEST(StatusText, ColourOnlyAddsEscapes) {
  const Sample sample;
  const std::string plain =
      Text([&](TextWriter& out) { WriteStatusText(sample.snapshot, false, out); });
  std::string coloured =
      Text([&](TextWriter& out) { WriteStatusText(sample.snapshot, true, out); });
  EXPECT_NE(coloured.find("\x1b[1;31mNOT HEALTHY\x1b[0m"), std::string::npos);
  for (size_t at = 0; (at = coloured.find('\x1b')) != std::string::npos;) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, plain);
}

TEST(Health, Json) {
  Sample sample;
  EXPECT_EQ(Text([&](TextWriter& out) { WriteHealthJson(sample.snapshot, out); }),
            "{\"ok\":false,\"delivery\":\"stalled\","
            "\"reasons\":[\"destination \\\"primary\\\": 401\"]}\n");
  EXPECT_EQ(Text([&](TextWriter& out) { WriteReadyJson(sample.snapshot, out); }),
            "{\"ready\":true}\n");
}

TEST(Prometheus, Text) {
  const Sample sample;
  EXPECT_EQ(MetricsText(sample.snapshot, PrometheusFormat::kText),
            R"(# TYPE limpet_items_collected_total counter
limpet_items_collected_total{signal="metrics"} 1000
limpet_items_collected_total{signal="logs"} 0
limpet_items_collected_total{signal="traces"} 0
# TYPE limpet_items_delivered_total counter
limpet_items_delivered_total{signal="metrics",destination="primary"} 900
# TYPE limpet_items_rejected_total counter
limpet_items_rejected_total{signal="metrics",destination="primary"} 3
# TYPE limpet_items_dropped_total counter
limpet_items_dropped_total{signal="metrics",reason="overflow"} 5
limpet_items_dropped_total{signal="metrics",reason="refused"} 2
limpet_items_dropped_total{signal="metrics",reason="shutdown"} 0
# TYPE limpet_items_dead gauge
limpet_items_dead{signal="metrics"} 0
# TYPE limpet_items_held gauge
limpet_items_held{signal="metrics",where="open"} 10
limpet_items_held{signal="metrics",where="memory"} 80
limpet_items_held{signal="metrics",where="spool"} 0
# TYPE limpet_in_flight gauge
limpet_in_flight{destination="primary"} 0
# TYPE limpet_requests_total counter
limpet_requests_total{destination="primary",code="none"} 4
limpet_requests_total{destination="primary",code="200"} 30
# TYPE limpet_request_duration_seconds histogram
limpet_request_duration_seconds_bucket{destination="primary",le="0.25"} 10
limpet_request_duration_seconds_bucket{destination="primary",le="1"} 30
limpet_request_duration_seconds_bucket{destination="primary",le="+Inf"} 31
limpet_request_duration_seconds_sum{destination="primary"} 12.5
limpet_request_duration_seconds_count{destination="primary"} 31
# TYPE limpet_breaker_state gauge
limpet_breaker_state{destination="primary"} 2
# TYPE limpet_breaker_transitions_total counter
limpet_breaker_transitions_total{destination="primary",to="open",reason="misconfigured"} 2
limpet_breaker_transitions_total{destination="primary",to="half_open",reason="probe"} 2
limpet_breaker_transitions_total{destination="primary",to="open",reason="timeout"} 1
limpet_breaker_transitions_total{destination="primary",to="open",reason="connection"} 0
limpet_breaker_transitions_total{destination="primary",to="open",reason="status"} 0
# TYPE limpet_destination_active gauge
limpet_destination_active{destination="primary",signal="metrics"} 1
limpet_destination_active{destination="primary",signal="logs"} 0
limpet_destination_active{destination="primary",signal="traces"} 0
# TYPE limpet_clock_steps_total counter
limpet_clock_steps_total 1
# TYPE limpet_clock_synchronized gauge
limpet_clock_synchronized 0
# TYPE limpet_pool_bytes gauge
limpet_pool_bytes{pool="queue"} 716800
limpet_pool_bytes{pool="tls"} 512
# TYPE limpet_pool_used_bytes gauge
limpet_pool_used_bytes{pool="queue"} 2048
limpet_pool_used_bytes{pool="tls"} 0
# TYPE limpet_pool_peak_bytes gauge
limpet_pool_peak_bytes{pool="queue"} 700000
limpet_pool_peak_bytes{pool="tls"} 0
# TYPE limpet_oldest_held_seconds gauge
limpet_oldest_held_seconds 125
# TYPE limpet_tick_delay_seconds histogram
limpet_tick_delay_seconds_bucket{le="0.25"} 1
limpet_tick_delay_seconds_bucket{le="1"} 1
limpet_tick_delay_seconds_bucket{le="+Inf"} 1
limpet_tick_delay_seconds_sum 0.001
limpet_tick_delay_seconds_count 1
# TYPE limpet_build_info gauge
limpet_build_info{version="1.2.3"} 1
)");
}

TEST(Prometheus, OpenMetricsDiffersInFourThings) {
  const Sample sample;
  const std::string text = MetricsText(sample.snapshot, PrometheusFormat::kOpenMetrics);
  EXPECT_NE(text.find("# TYPE limpet_items_collected counter\nlimpet_items_collected_total{"),
            std::string::npos);
  EXPECT_NE(text.find("_bucket{le=\"1.0\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("_bucket{le=\"+Inf\"} 1\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
}

TEST(Prometheus, EveryLineFollowsTheGrammar) {
  const Sample sample;
  for (const auto format : {PrometheusFormat::kText, PrometheusFormat::kOpenMetrics}) {
    std::string all = MetricsText(sample.snapshot, format);
    std::string_view text = all;
    ASSERT_TRUE(text.ends_with('\n'));
    text.remove_suffix(1);
    std::string family;
    std::set<std::string> families, series;
    while (!text.empty()) {
      std::string_view line = TakeUntil(text, '\n');
      SCOPED_TRACE(std::string(line));
      if (line == "# EOF") {
        EXPECT_TRUE(text.empty());
        continue;
      }
      if (line.starts_with("# TYPE ")) {
        line.remove_prefix(7);
        family = TakeUntil(line, ' ');
        EXPECT_TRUE(families.insert(family).second) << "a family comes twice";
        EXPECT_TRUE(line == "counter" || line == "gauge" || line == "histogram");
        continue;
      }
      EXPECT_TRUE(line.starts_with(family));
      const size_t blank = line.rfind(' ');
      ASSERT_NE(blank, std::string_view::npos);
      EXPECT_TRUE(series.insert(std::string(line.substr(0, blank))).second) << "twice";
      EXPECT_TRUE(ParseDouble(line.substr(blank + 1)).has_value());
      const std::string_view name = line.substr(0, line.find_first_of("{ "));
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    }
  }
}

TEST(Prometheus, LabelsAreEscaped) {
  const std::string text = Text([](TextWriter& out) {
    PrometheusSink sink(out, PrometheusFormat::kText);
    sink.Begin({"a.b", "1", Instrument::kGauge});
    sink.Int({{"x.y", "quote\" back\\slash\nline"}, {"n", 7}}, -3);
    sink.Double(0.1);
    sink.Begin({"left.out", "1", Instrument::kGauge});
  });
  EXPECT_EQ(text,
            "# TYPE a_b gauge\na_b{x_y=\"quote\\\" back\\\\slash\\nline\",n=\"7\"} -3\na_b 0.1\n");
}

TEST(WriteBytes, Cases) {
  struct Case {
    uint64_t bytes;
    const char* text;
  };
  constexpr Case cases[] = {{0, "0 B"},
                            {1023, "1023 B"},
                            {1024, "1.0 KiB"},
                            {1536, "1.5 KiB"},
                            {1048575, "1.0 MiB"},
                            {3 << 20, "3.0 MiB"},
                            {uint64_t{5} << 40, "5120.0 GiB"}};
  for (const Case& c : cases) {
    EXPECT_EQ(Text([&](TextWriter& out) { WriteBytes(out, c.bytes); }), c.text);
  }
}

TEST(WriteDuration, Cases) {
  struct Case {
    Duration duration;
    const char* text;
  };
  constexpr Case cases[] = {{{}, "0 s"},
                            {Milliseconds(250), "0.25 s"},
                            {Seconds(9), "9 s"},
                            {Milliseconds(59'999), "59 s"},
                            {Seconds(60), "1 min"},
                            {Seconds(3599), "59 min 59 s"},
                            {Seconds(3600 + 59), "1 h"},
                            {Seconds(90000), "1 d 1 h"}};
  for (const Case& c : cases) {
    EXPECT_EQ(Text([&](TextWriter& out) { WriteDuration(out, c.duration); }), c.text);
  }
}

}  // namespace
}  // namespace limpet
