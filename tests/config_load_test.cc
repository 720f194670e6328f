#include "config/load.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_fixture.h"

namespace limpet {
namespace {

const char kDestination[] = "[destination.primary]\nurl = http://gateway:4318\n";

/// All errors, one line each.
std::string Joined(const std::vector<std::string>& errors) {
  std::string text;
  for (const std::string& error : errors) text += error + "\n";
  return text;
}

TEST(LoadConfig, Defaults) {
  ConfigWorld world;
  world.texts["limpet.ini"] = kDestination;
  Config config;
  ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  EXPECT_EQ(config.agent.state_dir, "/var/lib/limpet");
  EXPECT_EQ(config.agent.run_dir, "/run/limpet");
  EXPECT_EQ(config.agent.memory_bytes, 3u << 20);
  EXPECT_TRUE(config.agent.record_uid);
  EXPECT_EQ(config.agent.log_level, Level::kInfo);
  EXPECT_EQ(config.agent.log_format, LogFormat::kText);
  EXPECT_EQ(config.agent.shutdown_timeout, Seconds(30));
  EXPECT_EQ(config.resource_count, 0u);
  EXPECT_FALSE(config.host.present);
  EXPECT_EQ(config.host.interval, Seconds(10));
  EXPECT_EQ(config.host.groups, Bit(HostGroup::kProcess) - 1);
  EXPECT_EQ(config.host.root, "/");
  EXPECT_EQ(config.host.names, HostNames::kSemconv144);
  EXPECT_EQ(config.host.process, "");
  EXPECT_EQ(config.host.textfile, "");
  EXPECT_EQ(config.host.textfile_max_age, Seconds(300));
  EXPECT_EQ(config.host.exclude_filesystems, "tmpfs, proc, sysfs, overlay");
  EXPECT_EQ(config.host.exclude_devices, "loop*, ram*, zram*");
  EXPECT_EQ(config.host.exclude_interfaces, "lo, veth*");
  EXPECT_EQ(config.log_count, 0u);
  EXPECT_FALSE(config.receive.present);
  EXPECT_EQ(config.receive.listen, "127.0.0.1:4318");
  EXPECT_EQ(config.receive.max_body_bytes, 512u << 10);
  EXPECT_EQ(config.receive.max_connections, 16u);
  EXPECT_EQ(config.receive.idle_timeout, Seconds(10));
  EXPECT_FALSE(config.receive.merge);
  EXPECT_EQ(config.receive.tls_cert, "");
  EXPECT_EQ(config.receive.bearer_token_file, "");
  EXPECT_FALSE(config.receive.insecure);
  EXPECT_EQ(config.queue.batch_items, 512u);
  EXPECT_EQ(config.queue.batch_bytes, 65536u);
  EXPECT_EQ(config.queue.batch_delay, Seconds(1));
  EXPECT_EQ(config.queue.max_age, Seconds(0));
  EXPECT_EQ(config.queue.order, Order::kStrict);
  EXPECT_EQ(config.queue.order_of, (std::array{Order::kStrict, Order::kStrict, Order::kStrict}));
  EXPECT_EQ(config.queue.drain_share_percent, 25u);
  EXPECT_EQ(config.spool.durability, Durability::kOnDemand);
  EXPECT_EQ(config.spool.max_bytes, 64u << 20);
  EXPECT_EQ(config.spool.min_free_bytes, 16u << 20);
  EXPECT_EQ(config.spool.overflow, Overflow::kDropOldest);
  EXPECT_EQ(config.spool.share_percent, (std::array<uint32_t, kSignalCount>{25, 25, 25}));
  EXPECT_EQ(config.spool.commit_interval, Seconds(5));
  EXPECT_EQ(config.spool.sync, Sync::kFull);
  EXPECT_EQ(config.spool.dead_max_bytes, 4u << 20);
  EXPECT_EQ(config.breaker.failures, 5u);
  EXPECT_EQ(config.breaker.open, Seconds(5));
  EXPECT_EQ(config.breaker.open_max, Seconds(120));
  EXPECT_EQ(config.breaker.failback, Seconds(30));
  EXPECT_EQ(config.retry.initial, Seconds(1));
  EXPECT_EQ(config.retry.max, Seconds(30));
  EXPECT_EQ(config.retry.multiplier, 2);
  EXPECT_EQ(config.retry.jitter, 0.5);
  EXPECT_EQ(config.retry.max_elapsed, Seconds(0));
  EXPECT_EQ(config.clock.step, Milliseconds(500));
  EXPECT_EQ(config.clock.unset_before.ns, 1704067200'000000000);
  EXPECT_EQ(config.health.listen, "127.0.0.1:13133");
  EXPECT_FALSE(config.health.insecure);
  EXPECT_EQ(config.self.interval, Seconds(60));

  ASSERT_EQ(config.destination_count, 1u);
  const DestinationConfig& destination = config.destinations[0];
  EXPECT_EQ(destination.name, "primary");
  EXPECT_EQ(destination.url, "http://gateway:4318");
  EXPECT_EQ(destination.signal_url[0], "http://gateway:4318/v1/metrics");
  EXPECT_EQ(destination.signal_url[1], "http://gateway:4318/v1/logs");
  EXPECT_EQ(destination.signal_url[2], "http://gateway:4318/v1/traces");
  EXPECT_EQ(destination.priority, 1u);
  EXPECT_EQ(destination.signals, kAllSignals);
  EXPECT_EQ(destination.timeout, Seconds(10));
  EXPECT_TRUE(destination.gzip);
  EXPECT_EQ(destination.guarantee, Guarantee::kAtLeastOnce);
  EXPECT_EQ(destination.header_count, 0u);
  EXPECT_EQ(destination.tls_ca, "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_FALSE(destination.tls_insecure);
  EXPECT_EQ(destination.breaker_failures, 5u);
  EXPECT_EQ(destination.breaker_open, Seconds(5));
  EXPECT_EQ(destination.breaker_open_max, Seconds(120));
  EXPECT_EQ(destination.breaker_failback, Seconds(30));
}

TEST(LoadConfig, EveryBuiltKey) {
  ConfigWorld world;
  world.variables["SITE"] = "plant 7";
  world.texts["limpet.ini"] = R"(
[agent]
state_dir = /s
run_dir = /r
memory = 8MiB
record_uid = no
log_level = debug
log_format = json
shutdown_timeout = 5s
[resource]
site = ${SITE}
service.name = "a;b"
[host]
interval = 1s
metrics = clock, cpu
root = /host
semconv = 1.44
exclude_devices = mtdblock*
exclude_interfaces =
[receive.otlp]
listen = 0.0.0.0:4319
max_body = 1MiB
max_connections = 4
idle_timeout = 3s
resource = merge
tls_cert = /cert
tls_key = /key
tls_client_ca = /clients
bearer_token_file = /token
insecure = true
[queue]
order = live_first
order.logs = strict
drain_share = 50%
batch_items = 10
batch_bytes = 512KiB
batch_delay = 2s
max_age = 7d
[spool]
durability = always
max_size = 5GiB
min_free = 0
overflow = pause_sources
share.metrics = 10%
share.logs = 90%
share.traces = 0%
commit_interval = 250ms
sync = normal
dead_max_size = 4095MiB
[destination.x-1]
url = https://u:p@gateway/otlp//
logs_url = https://logs/in?x=y
priority = 3
signals = metrics, logs
timeout = 20s
compression = none
guarantee = exactly_once
header.X-Scope-OrgID = edge
header.Authorization = "Basic $$x "
tls_ca = /ca
tls_insecure = on
failures = 2
open_max = 1m
failback = 90s
[breaker]
failures = 7
open = 3s
open_max = 4s
failback = 10ms
[retry]
initial = 2s
multiplier = 1.5
max = 3s
jitter = 0
max_elapsed = 365d
[clock]
step = 1s
unset_before = 2025-06-01
[health]
listen = 0.0.0.0:80
insecure = true
[self]
interval = 0
)";
  Config config;
  ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  EXPECT_EQ(config.agent.state_dir, "/s");
  EXPECT_EQ(config.agent.run_dir, "/r");
  EXPECT_EQ(config.agent.memory_bytes, 8u << 20);
  EXPECT_FALSE(config.agent.record_uid);
  EXPECT_EQ(config.agent.log_level, Level::kDebug);
  EXPECT_EQ(config.agent.log_format, LogFormat::kJson);
  EXPECT_EQ(config.agent.shutdown_timeout, Seconds(5));
  ASSERT_EQ(config.resource_count, 2u);
  EXPECT_EQ(config.resource[0].key, "site");
  EXPECT_EQ(config.resource[0].value, "plant 7");
  EXPECT_EQ(config.resource[1].key, "service.name");
  EXPECT_EQ(config.resource[1].value, "a;b");
  EXPECT_TRUE(config.host.present);
  EXPECT_EQ(config.host.interval, Seconds(1));
  EXPECT_EQ(config.host.groups, Bit(HostGroup::kCpu) | Bit(HostGroup::kClock));
  EXPECT_EQ(config.host.root, "/host");
  EXPECT_EQ(config.host.exclude_devices, "mtdblock*");
  EXPECT_EQ(config.host.exclude_interfaces, "");
  EXPECT_TRUE(config.receive.present);
  EXPECT_EQ(config.receive.listen, "0.0.0.0:4319");
  EXPECT_EQ(config.receive.max_body_bytes, 1u << 20);
  EXPECT_EQ(config.receive.max_connections, 4u);
  EXPECT_EQ(config.receive.idle_timeout, Seconds(3));
  EXPECT_TRUE(config.receive.merge);
  EXPECT_EQ(config.receive.tls_cert, "/cert");
  EXPECT_EQ(config.receive.tls_key, "/key");
  EXPECT_EQ(config.receive.tls_client_ca, "/clients");
  EXPECT_EQ(config.receive.bearer_token_file, "/token");
  EXPECT_TRUE(config.receive.insecure);
  EXPECT_EQ(config.queue.batch_items, 10u);
  EXPECT_EQ(config.queue.batch_bytes, 512u << 10);
  EXPECT_EQ(config.queue.batch_delay, Seconds(2));
  EXPECT_EQ(config.queue.max_age, Seconds(7 * 86400));
  EXPECT_EQ(config.queue.order, Order::kLiveFirst);
  EXPECT_EQ(config.queue.order_of, (std::array{Order::kLiveFirst, Order::kStrict, Order::kLiveFirst}));
  EXPECT_EQ(config.queue.drain_share_percent, 50u);
  EXPECT_EQ(config.spool.durability, Durability::kAlways);
  EXPECT_EQ(config.spool.max_bytes, uint64_t{5} << 30);
  EXPECT_EQ(config.spool.min_free_bytes, 0u);
  EXPECT_EQ(config.spool.overflow, Overflow::kPauseSources);
  EXPECT_EQ(config.spool.share_percent, (std::array<uint32_t, kSignalCount>{10, 90, 0}));
  EXPECT_EQ(config.spool.commit_interval, Milliseconds(250));
  EXPECT_EQ(config.spool.sync, Sync::kNormal);
  EXPECT_EQ(config.spool.dead_max_bytes, uint64_t{4095} << 20);
  const DestinationConfig& destination = config.destinations[0];
  EXPECT_EQ(destination.name, "x-1");
  EXPECT_EQ(destination.signal_url[0], "https://u:p@gateway/otlp/v1/metrics");
  EXPECT_EQ(destination.shown_url, "https://***@gateway/otlp");
  EXPECT_EQ(destination.signal_url[1], "https://logs/in?x=y");
  EXPECT_EQ(destination.signal_url[2], "");
  EXPECT_EQ(destination.priority, 3u);
  EXPECT_EQ(destination.signals, 3);
  EXPECT_EQ(destination.timeout, Seconds(20));
  EXPECT_FALSE(destination.gzip);
  EXPECT_EQ(destination.guarantee, Guarantee::kExactlyOnce);
  ASSERT_EQ(destination.header_count, 2u);
  EXPECT_EQ(destination.headers[0].key, "X-Scope-OrgID");
  EXPECT_EQ(destination.headers[0].value, "edge");
  EXPECT_EQ(destination.headers[1].value, "Basic $x ");
  EXPECT_EQ(destination.tls_ca, "/ca");
  EXPECT_TRUE(destination.tls_insecure);
  EXPECT_EQ(destination.breaker_failures, 2u);
  EXPECT_EQ(destination.breaker_open, Seconds(3));
  EXPECT_EQ(destination.breaker_open_max, Seconds(60));
  EXPECT_EQ(destination.breaker_failback, Seconds(90));
  EXPECT_EQ(config.breaker.failback, Milliseconds(10));
  EXPECT_EQ(config.breaker.failures, 7u);
  EXPECT_EQ(config.retry.initial, Seconds(2));
  EXPECT_EQ(config.retry.multiplier, 1.5);
  EXPECT_EQ(config.retry.max, Seconds(3));
  EXPECT_EQ(config.retry.jitter, 0);
  EXPECT_EQ(config.retry.max_elapsed, Seconds(365 * 86400));
  EXPECT_EQ(config.clock.step, Seconds(1));
  EXPECT_EQ(config.clock.unset_before.ns, 1748736000'000000000);
  EXPECT_EQ(config.health.listen, "0.0.0.0:80");
  EXPECT_TRUE(config.health.insecure);
  EXPECT_EQ(config.self.interval, Seconds(0));
}

TEST(LoadConfig, Errors) {
  // Each text stands before a destination that is right; lines count from its first.
  struct Case { const char* name; const char* text; const char* errors; };
  constexpr Case cases[] = {
      {"unknown key", "[host]\nintervall = 1s\n",
       "limpet.ini:2: host.intervall: unknown key (did you mean interval?)\n"},
      {"nothing near", "[host]\nxyzzy = 1s\n", "limpet.ini:2: host.xyzzy: unknown key\n"},
      {"key of another section", "[host]\nbatch_bytes = 1s\n",
       "limpet.ini:2: host.batch_bytes: unknown key (it belongs to [queue])\n"},
      {"unknown section, its keys are passed over", "[hots]\na = b\n",
       "limpet.ini:1: [hots]: unknown section (did you mean host?)\n"},
      {"no name behind the dot", "[destination]\nurl = http://a\n",
       "limpet.ini:1: [destination]: unknown section (did you mean destination.NAME?)\n"},
      {"bad name behind the dot", "[destination.a b]\nurl = http://a\n",
       "limpet.ini:1: [destination.a b]: expected a name of 1 to 32 letters, digits, - or _ behind "
       "the dot\n"},
      {"duplicate key", "[host]\ninterval = 1s\ninterval = 1s\n",
       "limpet.ini:3: host.interval: already set at limpet.ini:2\n"},
      {"duplicate resource attribute", "[resource]\na = 1\nb = 2\na = 1\n",
       "limpet.ini:4: resource.a: already set at limpet.ini:2\n"},
      {"duplicate section", "[host]\n[queue]\n[host]\ninterval = 1s\n",
       "limpet.ini:3: [host]: this section is already at line 1\n"},
      {"key before a section", "a = b\nc = d\n",
       "limpet.ini:1: expected a [section] before the first key\n"},
      {"malformed line", "[host]\ninterval\n", "limpet.ini:2: expected key = value\n"},
      {"malformed value", "[host]\ninterval = 10\n",
       "limpet.ini:2: host.interval: expected a duration such as 250ms, 10s, 5m, 2h or 7d\n"},
      {"empty value", "[host]\ninterval =\n",
       "limpet.ini:2: host.interval: expected a duration such as 250ms, 10s, 5m, 2h or 7d\n"},
      {"too short", "[host]\ninterval = 9ms\n",
       "limpet.ini:2: host.interval: expected 10ms to 30d\n"},
      {"too long", "[host]\ninterval = 31d\n",
       "limpet.ini:2: host.interval: expected 10ms to 30d\n"},
      {"0 where it is not written", "[queue]\nbatch_delay = 0\n",
       "limpet.ini:2: queue.batch_delay: expected 10ms to 30d\n"},
      {"0 where it is", "[self]\ninterval = 1ms\n",
       "limpet.ini:2: self.interval: expected 0, or 10ms to 30d\n"},
      {"count", "[queue]\nbatch_items = 0\n",
       "limpet.ini:2: queue.batch_items: expected 1 to 1000000\n"},
      {"memory", "[agent]\nmemory = 1023KiB\n",
       "limpet.ini:2: agent.memory: expected 1MiB to 1GiB\n"},
      {"number", "[retry]\njitter = 1.1\nmultiplier = 0.5\n",
       "limpet.ini:2: retry.jitter: expected 0 to 1\n"
       "limpet.ini:3: retry.multiplier: expected 1 to 100\n"},
      {"not a number", "[retry]\njitter = nan\nmultiplier = 0x10\n",
       "limpet.ini:2: retry.jitter: expected a number such as 2 or 0.5\n"
       "limpet.ini:3: retry.multiplier: expected a number such as 2 or 0.5\n"},
      {"unknown word", "[agent]\nlog_level = warning\n",
       "limpet.ini:2: agent.log_level: unknown value warning (expected error, warn, info, "
       "debug)\n"},
      {"unknown group", "[host]\nmetrics = cpu, disc\n",
       "limpet.ini:2: host.metrics: unknown value disc (did you mean disk?)\n"},
      {"orders of delivery",
       "[queue]\norder = live-first\norder.logs = strict\norder.spans = strict\ndrain_share = 0%\n",
       "limpet.ini:2: queue.order: unknown value live-first (did you mean live_first?)\n"
       "limpet.ini:4: queue.order.spans: unknown key (did you mean order.traces?)\n"
       "limpet.ini:5: queue.drain_share: expected 1% to 100%\n"},
      {"times of delivery",
       "[breaker]\nfailback = 0\nfailures = 0\n[retry]\nmax_elapsed = 1ms\n",
       "limpet.ini:2: breaker.failback: expected 10ms to 30d\n"
       "limpet.ini:3: breaker.failures: expected 1 to 1000000\n"
       "limpet.ini:5: retry.max_elapsed: expected 0, or 10ms to 365d\n"},
      {"key not built", "[clock]\ntrust_server_date = true\n",
       "limpet.ini:2: clock.trust_server_date: not available in this build (only its default, false, is)\n"},
      {"a key that is not built is checked all the same",
       "[clock]\nmax_skew = 1ms\non_unset = holt\n",
       "limpet.ini:2: clock.max_skew: expected 10ms to 30d\n"
       "limpet.ini:3: clock.on_unset: unknown value holt (did you mean hold?)\n"},
      {"ages and sizes of the spool",
       "[queue]\nmax_age = 366d\n[spool]\nmax_size = 1023KiB\nmin_free = 1KiB\nshare.logs = 101%\n"
       "share.traces = 25\ncommit_interval = 0\nsync = ful\ndead_max_size = 0\n",
       "limpet.ini:2: queue.max_age: expected 0, or 10ms to 365d\n"
       "limpet.ini:4: spool.max_size: expected 1MiB to 1024GiB\n"
       "limpet.ini:5: spool.min_free: expected 0, or 4KiB to 1024GiB\n"
       "limpet.ini:6: spool.share.logs: expected 0% to 100%\n"
       "limpet.ini:7: spool.share.traces: expected a percentage such as 25%\n"
       "limpet.ini:8: spool.commit_interval: expected 10ms to 30d\n"
       "limpet.ini:9: spool.sync: unknown value ful (did you mean full?)\n"
       "limpet.ini:10: spool.dead_max_size: expected 4KiB to 1024GiB\n"},
      {"shares of more than all", "[spool]\nshare.metrics = 51%\n",
       "limpet.ini:1: [spool]: share.metrics, share.logs and share.traces make 101% together, more "
       "than there is: lower one\n"},
      {"dead letters take the whole spool", "[spool]\nmax_size = 4MiB\n",
       "limpet.ini:1: spool.dead_max_size: dead letters are a part of max_size (now 4MiB): lower it "
       "below that, or raise max_size\n"},
      {"spool too small for its batches",
       "[queue]\nbatch_bytes = 129KiB\n[spool]\nmax_size = 1MiB\ndead_max_size = 64KiB\n",
       "limpet.ini:4: spool.max_size: too little for four batches: raise it to at least 1028KiB, or "
       "lower queue.batch_bytes (now 129KiB)\n"},
      {"section not built, typo in it", "[receive.statsd]\nintervall = 1s\n",
       "limpet.ini:1: [receive.statsd]: not available in this build\n"
       "limpet.ini:2: receive.statsd.intervall: unknown key (did you mean interval?)\n"},
      {"the same destination twice", "[destination.primary]\nurl = http://a\n",
       "limpet.ini:3: [destination.primary]: this section is already at line 1\n"
       "limpet.ini:4: destination.primary.url: already set at limpet.ini:2\n"},
      {"what is wrong with the second of two", "[destination.a]\nurl = http://a\nfailback = 31d\nurll = b\n",
       "limpet.ini:3: destination.a.failback: expected 10ms to 30d\n"
       "limpet.ini:4: destination.a.urll: unknown key (did you mean url?)\n"},
      {"stray semicolon", "[host]\nroot = /a;b\n",
       "limpet.ini:2: host.root: a value with ; stands in double quotes; a comment has a blank "
       "before ;\n"},
      {"variable that is not set", "[host]\nroot = ${ROOT}\n",
       "limpet.ini:2: host.root: ${ROOT} is not set in the environment and has no default\n"},
      {"listener for everybody", "[health]\nlisten = 0.0.0.0:13133\n",
       "limpet.ini:2: health.listen: others can reach this address: listen at 127.0.0.1 or [::1], "
       "or set insecure = true here to allow it\n"},
      {"listener malformed", "[health]\nlisten = localhost:13133\n",
       "limpet.ini:2: health.listen: expected ADDRESS:PORT such as 127.0.0.1:13133 or "
       "[::1]:13133\n"},
      {"token for the listener", "[health]\nbearer_token_file = /t\n",
       "limpet.ini:2: health.bearer_token_file: not available in this build\n"},
      {"run_dir too long for a socket",
       "[agent]\nrun_dir = /run/0123456789012345678901234567890123456789012345678901234567890123456789"
       "012345678901234567890\n",
       "limpet.ini:2: agent.run_dir: too long for the control socket: at most 95 bytes\n"},
      {"initial above max", "[retry]\nmax = 500ms\n",
       "limpet.ini:1: retry.initial: longer than retry.max\n"},
      {"open above open_max", "[breaker]\nopen = 3m\n",
       "limpet.ini:2: breaker.open: longer than breaker.open_max\n"},
      {"batch against memory", "[agent]\nmemory = 1MiB\n[queue]\nbatch_bytes = 128KiB\n",
       "limpet.ini:4: queue.batch_bytes: more than a sixteenth of agent.memory: lower it, or raise "
       "memory to at least 2MiB\n"},
      {"all at once",
       "[host]\ninterval = x\nrooot = /\n[agent]\nlog_level = x\nnonsense\n[self]\ninterval = 1\n",
       "limpet.ini:2: host.interval: expected a duration such as 250ms, 10s, 5m, 2h or 7d\n"
       "limpet.ini:3: host.rooot: unknown key (did you mean root?)\n"
       "limpet.ini:5: agent.log_level: unknown value x (expected error, warn, info, debug)\n"
       "limpet.ini:6: expected key = value\n"
       "limpet.ini:8: self.interval: expected a duration such as 250ms, 10s, 5m, 2h or 7d\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ConfigWorld world;
    world.texts["limpet.ini"] = std::string(c.text) + kDestination;
    Config config;
    const Status status = world.Load(config);
    EXPECT_EQ(Joined(world.errors), c.errors);
    EXPECT_EQ(status.code, Code::kInvalid);
    EXPECT_EQ(static_cast<size_t>(status.detail), world.errors.size());
  }
}

TEST(LoadConfig, Receiver) {
  // Lines of [receive.otlp], then what stands before it; lines count from its first.
  struct Case { const char* name; const char* text; const char* errors; const char* before = ""; };
  constexpr Case cases[] = {
      {"nothing set", "", ""},
      {"another port", "listen = 127.0.0.2:1\n", ""},
      {"IPv6", "listen = [::1]:4318\n", ""},
      {"a Unix socket", "listen = unix:/run/otlp.sock\n", ""},
      {"with a token", "listen = unix:/run/otlp.sock\nbearer_token_file = /t\n", ""},
      {"malformed", "listen = localhost:4318\n",
       "limpet.ini:2: receive.otlp.listen: expected ADDRESS:PORT such as 127.0.0.1:4318 or [::1]:4318, "
       "or unix:/PATH of at most 107 bytes\n"},
      {"nowhere", "listen =\n",
       "limpet.ini:2: receive.otlp.listen: expected ADDRESS:PORT such as 127.0.0.1:4318 or [::1]:4318, "
       "or unix:/PATH of at most 107 bytes\n"},
      {"for everybody", "listen = 0.0.0.0:4318\n",
       "limpet.ini:2: receive.otlp.listen: others can reach this address: listen at 127.0.0.1 or [::1], "
       "set tls_client_ca or bearer_token_file, or set insecure = true here to allow it\n"},
      {"a certificate of ours says nothing of theirs", "listen = [::]:4318\ntls_cert = /c\ntls_key = /k\n",
       "limpet.ini:2: receive.otlp.listen: others can reach this address: listen at 127.0.0.1 or [::1], "
       "set tls_client_ca or bearer_token_file, or set insecure = true here to allow it\n"},
      {"client certificates", "listen = [::]:4318\ntls_cert = /c\ntls_key = /k\ntls_client_ca = /a\n", ""},
      {"a token", "listen = 192.0.2.1:4318\nbearer_token_file = /t\n", ""},
      {"insecure", "listen = 0.0.0.0:4318\ninsecure = yes\n", ""},
      {"certificate without its key", "tls_cert = /c\n",
       "limpet.ini:2: receive.otlp.tls_cert: needs tls_key, its key, beside it\n"},
      {"key without its certificate", "tls_client_ca = /a\ntls_key = /k\n",
       "limpet.ini:3: receive.otlp.tls_key: needs tls_cert, the certificate, beside it\n"},
      {"client certificates without TLS", "tls_client_ca = /a\n",
       "limpet.ini:2: receive.otlp.tls_client_ca: needs tls_cert and tls_key beside it: clients show theirs "
       "in TLS\n"},
      {"TLS on a Unix socket", "listen = unix:/o\ntls_key = /k\ntls_cert = /c\ntls_client_ca = /a\n",
       "limpet.ini:4: receive.otlp.tls_cert: not with unix: in listen, which no network reaches\n"
       "limpet.ini:3: receive.otlp.tls_key: not with unix: in listen, which no network reaches\n"
       "limpet.ini:5: receive.otlp.tls_client_ca: not with unix: in listen, which no network reaches\n"},
      {"where [health] listens", "listen = 127.0.0.1:13133\n",
       "limpet.ini:2: receive.otlp.listen: health.listen is the same address: choose another port\n"},
      {"[health] where it listens by default", "",
       "limpet.ini:3: receive.otlp.listen: health.listen is the same address: choose another port\n",
       "[health]\nlisten = 127.0.0.1:4318\n"},
      {"any port of both", "listen = 127.0.0.1:0\n", "", "[health]\nlisten = 127.0.0.1:0\n"},
      {"[health] does not listen", "", "", "[health]\nlisten =\n"},
      {"the control socket", "listen = unix:/run/limpet/limpet.sock\n",
       "limpet.ini:2: receive.otlp.listen: this is the control socket: choose another name\n"},
      {"the control socket's other place", "listen = unix:/var/lib/limpet/limpet.sock\n",
       "limpet.ini:2: receive.otlp.listen: this is the control socket: choose another name\n"},
      {"beside the control socket", "listen = unix:/run/limpet.sock\n", ""},
      {"too much at once", "max_connections = 1025\nmax_body = 1KiB\n",
       "limpet.ini:2: receive.otlp.max_connections: expected 1 to 1024\n"
       "limpet.ini:3: receive.otlp.max_body: expected 4KiB to 1GiB\n"},
      {"a destination that takes less", "", "",
       "[destination.a]\nurl = http://a\nsignals = logs\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ConfigWorld world;
    world.texts["limpet.ini"] = std::string(c.before) + "[receive.otlp]\n" + c.text;
    const bool own = std::string(c.before).find("destination") != std::string::npos;
    if (!own) world.texts["limpet.ini"] += kDestination;
    Config config;
    EXPECT_EQ(world.Load(config).ok(), c.errors[0] == '\0');
    EXPECT_EQ(Joined(world.errors), c.errors);
    EXPECT_TRUE(config.receive.present);
  }
  // Where the section is not, nothing listens and nothing is wrong.
  ConfigWorld world;
  world.texts["limpet.ini"] = std::string("[health]\nlisten = 127.0.0.1:4318\n") + kDestination;
  Config config;
  EXPECT_TRUE(world.Load(config).ok()) << Joined(world.errors);
}

TEST(LoadConfig, TheSpoolsEdgesFit) {
  for (const char* const text :
       {"[spool]\nshare.metrics = 100%\nshare.logs = 0%\nshare.traces = 0%\n",
        "[spool]\nmax_size = 1MiB\ndead_max_size = 1023KiB\n[queue]\nbatch_bytes = 128KiB\n",
        "[spool]\nmax_size = 1MiB\ndead_max_size = 4KiB\ndurability = never\n"
        "[queue]\nbatch_bytes = 192KiB\n"}) {
    ConfigWorld world;
    world.texts["limpet.ini"] = std::string(text) + kDestination;
    Config config;
    EXPECT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  }
}

TEST(LoadConfig, ResourceLeavesRoomInABatch) {
  const std::string long_value(1030, 'x');
  ConfigWorld world;
  world.texts["limpet.ini"] = std::string(kDestination) + "[queue]\nbatch_bytes = 4KiB\n[resource]\na = " +
                              long_value + "\nb = " + long_value + "\n";
  Config config;
  EXPECT_EQ(world.Load(config).code, Code::kInvalid);
  EXPECT_EQ(Joined(world.errors),
            "limpet.ini:5: [resource]: together 2086 bytes, and at most 2048 may stand in front of "
            "each batch (half of queue.batch_bytes, 12288 in all)\n");
}

TEST(LoadConfig, Destinations) {
  struct Case { const char* name; const char* text; const char* errors; };
  constexpr Case cases[] = {
      {"none", "[host]\n", "limpet.ini: no destination: add [destination.primary] with a url\n"},
      {"no URL", "[host]\n[destination.a]\npriority = 2\n",
       "limpet.ini:2: destination.a.url: missing: where to send to, e.g. https://host:4318\n"},
      {"bad URL, and only that", "[host]\n[destination.a]\nurl = gateway:4318\n",
       "limpet.ini:3: destination.a.url: expected a URL that begins with http:// or https://\n"},
      {"one signal only", "[host]\n[destination.a]\nmetrics_url = http://a/in\n", ""},
      {"nobody takes metrics", "[host]\n[destination.a]\nurl = http://a\nsignals = logs\n",
       "limpet.ini:1: [host]: makes metrics, but no destination takes them (its signals)\n"},
      {"nobody need take metrics", "[destination.a]\nurl = http://a\nsignals = logs\n", ""},
      {"a signal is named that has no URL",
       "[destination.a]\nsignals = logs, metrics\nmetrics_url = http://a/in\n",
       "limpet.ini:2: destination.a.signals: a signal is named here that has no URL\n"},
      {"open above open_max", "[destination.a]\nurl = http://a\nopen_max = 2s\n",
       "limpet.ini:3: destination.a.open_max: shorter than open (5s)\n"},
      {"own header", "[destination.a]\nurl = http://a\nheader.content-type = x\n",
       "limpet.ini:3: destination.a.header.content-type: limpet sets this header itself\n"},
      {"another own header", "[destination.a]\nurl = http://a\nheader.TE = x\n",
       "limpet.ini:3: destination.a.header.TE: limpet sets this header itself\n"},
      {"bad header", "[destination.a]\nurl = http://a\nheader.a b = x\n",
       "limpet.ini:3: destination.a.header.a b: not the name of an HTTP header\n"},
      {"header twice", "[destination.a]\nurl = http://a\nheader.X-A = x\nheader.x-a = y\n",
       "limpet.ini:4: destination.a.header.x-a: the same header twice\n"},
      {"header twice, once out of a file",
       "[destination.a]\nurl = http://a\nheader.X-A_file = /x\nheader.x-a = y\n",
       "limpet.ini:3: destination.a.header.X-A_file: the same header twice\n"},
      {"two tokens", "[destination.a]\nurl = http://a\nbearer_token_file = /x\n"
       "header.authorization = y\n",
       "limpet.ini:3: destination.a.bearer_token_file: the header Authorization is set as well: one "
       "of the two\n"},
      {"certificate without its key", "[destination.a]\nurl = http://a\ntls_cert = /c\n",
       "limpet.ini:3: destination.a.tls_cert: needs tls_key, its key, beside it\n"},
      {"key without its certificate", "[destination.a]\nurl = http://a\ntls_key = /k\n",
       "limpet.ini:3: destination.a.tls_key: needs tls_cert, the certificate, beside it\n"},
      {"two proxies", "[destination.a]\nurl = http://a\nproxy = http://p:1\nproxy_file = /x\n",
       "limpet.ini:4: destination.a.proxy_file: proxy is set as well: one of the two\n"},
      {"two, and one of them takes metrics",
       "[host]\n[destination.a]\nurl = http://a\nsignals = logs\n"
       "[destination.b]\nmetrics_url = http://b/in\n", ""},
      {"two, and neither takes metrics",
       "[host]\n[destination.a]\nurl = http://a\nsignals = logs\n"
       "[destination.b]\nurl = http://b\nsignals = traces, logs\n",
       "limpet.ini:1: [host]: makes metrics, but no destination takes them (its signals)\n"},
      {"the second has no URL", "[host]\n[destination.a]\nurl = http://a\n[destination.b]\npriority = 2\n",
       "limpet.ini:4: destination.b.url: missing: where to send to, e.g. https://host:4318\n"},
      {"open of one above open_max of all",
       "[destination.a]\nurl = http://a\n[destination.b]\nurl = http://b\nopen = 3m\n",
       "limpet.ini:5: destination.b.open: longer than open_max (2m)\n"},
      {"guarantees", "[destination.a]\nurl = http://a\nguarantee = at_most_once\n"
       "[destination.b]\nurl = http://b\nguarantee = once\n",
       "limpet.ini:6: destination.b.guarantee: unknown value once (expected at_least_once, at_most_once, "
       "exactly_once)\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ConfigWorld world;
    world.texts["limpet.ini"] = c.text;
    Config config;
    EXPECT_EQ(world.Load(config).ok(), c.errors[0] == '\0');
    EXPECT_EQ(Joined(world.errors), c.errors);
  }
}

TEST(LoadConfig, SeveralDestinations) {
  ConfigWorld world;
  world.texts["limpet.ini"] =
      "[destination.primary]\nurl = https://gateway:4318\nopen = 1s\nfailback = 5m\n"
      "[destination.fallback]\nurl = https://backup:4318\npriority = 2\nguarantee = at_most_once\n"
      "[breaker]\nfailures = 3\nopen_max = 1m\n";
  Config config;
  ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  ASSERT_EQ(config.destination_count, 2u);
  const DestinationConfig& primary = config.destinations[0];
  const DestinationConfig& fallback = config.destinations[1];
  EXPECT_EQ(primary.name, "primary");
  EXPECT_EQ(primary.priority, 1u);
  EXPECT_EQ(primary.breaker_failures, 3u);
  EXPECT_EQ(primary.breaker_open, Seconds(1));
  EXPECT_EQ(primary.breaker_open_max, Seconds(60));
  EXPECT_EQ(primary.breaker_failback, Seconds(300));
  EXPECT_EQ(primary.guarantee, Guarantee::kAtLeastOnce);
  EXPECT_EQ(fallback.name, "fallback");
  EXPECT_EQ(fallback.signal_url[0], "https://backup:4318/v1/metrics");
  EXPECT_EQ(fallback.priority, 2u);
  EXPECT_EQ(fallback.breaker_failures, 3u);
  EXPECT_EQ(fallback.breaker_open, Seconds(5));
  EXPECT_EQ(fallback.breaker_failback, Seconds(30));
  EXPECT_EQ(fallback.guarantee, Guarantee::kAtMostOnce);
}

TEST(LoadConfig, EightDestinationsAndNoMore) {
  ConfigWorld world;
  std::string& text = world.texts["limpet.ini"];
  for (size_t i = 0; i < kDestinationsMax; ++i) {
    text += "[destination.d" + std::to_string(i) + "]\nurl = http://d" + std::to_string(i) + "\n";
  }
  Config config;
  ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  EXPECT_EQ(config.destination_count, kDestinationsMax);
  EXPECT_EQ(config.destinations[kDestinationsMax - 1].signal_url[0], "http://d7/v1/metrics");
  text += "[destination.one-too-many]\nurl = http://d8\nurll = x\n";
  EXPECT_EQ(world.Load(config).code, Code::kInvalid);
  EXPECT_EQ(Joined(world.errors),
            "limpet.ini:17: [destination.one-too-many]: more than 8 destinations\n"
            "limpet.ini:19: destination.one-too-many.urll: unknown key (did you mean url?)\n");
}

TEST(LoadConfig, ASignalWithoutAnOrderHasThatOfAll) {
  struct Case { const char* text; std::array<Order, kSignalCount> orders; };
  constexpr Order kStrict = Order::kStrict, kLive = Order::kLiveFirst;
  constexpr Case cases[] = {
      {"", {kStrict, kStrict, kStrict}},
      {"order = live_first\n", {kLive, kLive, kLive}},
      {"order.logs = live_first\n", {kStrict, kLive, kStrict}},
      {"order.metrics = strict\norder = live_first\norder.traces =\n", {kStrict, kLive, kLive}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    ConfigWorld world;
    world.texts["limpet.ini"] = std::string(kDestination) + "[queue]\n" + c.text;
    Config config;
    ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
    EXPECT_EQ(config.queue.order_of, c.orders);
  }
}

TEST(LoadConfig, Settings) {
  struct Case { const char* name; std::vector<std::string> settings; const char* errors; };
  const Case cases[] = {
      {"goes before the file", {"host.interval=2s"}, ""},
      {"blanks, quotes and variables", {" host.interval = \"2${S}\" "}, ""},
      {"section that the file has not", {"host.interval=2s", "queue.batch_items = 5"}, ""},
      {"resource attribute with dots", {"host.interval=2s", "resource.service.name=x"}, ""},
      {"destination", {"host.interval=2s", "destination.primary.url=http://b"}, ""},
      {"unknown key", {"host.intervall=2s"},
       "--set: host.intervall: unknown key (did you mean interval?)\n"},
      {"unknown section", {"hots.interval=2s"},
       "--set: [hots]: unknown section (did you mean host?)\n"},
      {"no =", {"host.interval"}, "--set: expected section.key=value\n"},
      {"no dot", {"interval=2s"}, "--set: expected section.key=value\n"},
      {"no key", {"destination.primary=2s"},
       "--set: [destination]: unknown section (did you mean destination.NAME?)\n"},
      {"out of range", {"host.interval=1ms"}, "--set: host.interval: expected 10ms to 30d\n"},
      {"two lines", {"host.root=a\nb"}, "--set: host.root: expected one line\n"},
      {"twice", {"host.interval=2s", "host.interval=2s"},
       "--set: host.interval: already set at --set\n"},
      {"checked together", {"host.interval=2s", "retry.max=500ms"},
       "--set: retry.initial: longer than retry.max\n"},
      {"not built", {"receive.statsd.listen=127.0.0.1:8125"},
       "--set: [receive.statsd]: not available in this build\n"},
      {"another destination", {"host.interval=2s", "destination.b.url=http://b"}, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ConfigWorld world;
    world.variables["S"] = "s";
    world.texts["limpet.ini"] = std::string("[host]\ninterval = 9s\n") + kDestination;
    world.settings = c.settings;
    Config config;
    EXPECT_EQ(world.Load(config).ok(), c.errors[0] == '\0');
    EXPECT_EQ(Joined(world.errors), c.errors);
    if (c.errors[0] == '\0') { EXPECT_EQ(config.host.interval, Seconds(2)); }
  }
}

TEST(LoadConfig, SettingsDoNotHideWhatIsWrongInTheFile) {
  ConfigWorld world;
  world.texts["limpet.ini"] =
      std::string("[host]\ninterval = x\ninterval = 1s\n") + kDestination;
  world.settings = {"host.interval=2s"};
  Config config;
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(Joined(world.errors),
            "limpet.ini:2: host.interval: expected a duration such as 250ms, 10s, 5m, 2h or 7d\n"
            "limpet.ini:3: host.interval: already set at limpet.ini:2\n");
}

TEST(LoadConfig, Include) {
  const std::string main = std::string("[agent]\ninclude = ");
  struct Case {
    const char* name;
    const char* include;
    std::map<std::string, std::string> files;
    const char* errors;
  };
  const Case cases[] = {
      {"one file", "more.ini", {{"etc/more.ini", "[host]\ninterval = 2s\n"}}, ""},
      {"a whole path", "/x/more.ini", {{"/x/more.ini", "[host]\ninterval = 2s\n"}}, ""},
      {"a pattern, sections meet", "conf.d/*.ini",
       {{"etc/conf.d/a.ini", "[host]\ninterval = 2s\n"},
        {"etc/conf.d/b.ini", "[host]\nroot = /b\n"},
        {"etc/conf.d/.hidden.ini", "nonsense"},
        {"etc/conf.d/c.txt", "nonsense"}}, ""},
      {"two patterns, the second without a match", "a.ini, conf.d/*.ini",
       {{"etc/a.ini", "[host]\ninterval = 2s\n"}}, ""},
      {"a file that is missing", "a.ini", {},
       "etc/limpet.ini:2: agent.include: etc/a.ini: not found\n"},
      {"itself", "*.ini", {{"etc/a.ini", "[host]\ninterval = 2s\n"}},
       "etc/limpet.ini:2: agent.include: etc/limpet.ini: a file does not include itself\n"},
      {"a second level", "a.ini", {{"etc/a.ini", "[agent]\ninclude = b.ini\n"}},
       "etc/a.ini:2: agent.include: an included file does not include others\n"},
      {"a pattern for directories", "*/a.ini", {},
       "etc/limpet.ini:2: agent.include: only the last part of a path may hold a pattern\n"},
      {"a key of both, files in order", "conf.d/*",
       {{"etc/conf.d/2", "[host]\ninterval = 2s\n[self]\nx = 1\n"},
        {"etc/conf.d/1", "[host]\ninterval = 1s\n"}},
       "etc/conf.d/2:2: host.interval: already set at etc/conf.d/1:2\n"
       "etc/conf.d/2:4: self.x: unknown key\n"},
      {"a key before a section", "a.ini", {{"etc/a.ini", "interval = 2s\n"}},
       "etc/a.ini:1: expected a [section] before the first key\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ConfigWorld world;
    for (const auto& [path, text] : c.files) world.texts[path] = text;
    world.texts["etc/limpet.ini"] = main + c.include + "\n" + kDestination;
    Config config;
    const Status status = world.Load(config, "etc/limpet.ini");
    EXPECT_EQ(status.ok(), c.errors[0] == '\0');
    EXPECT_EQ(Joined(world.errors), c.errors);
    EXPECT_EQ(config.agent.include, "");
    EXPECT_TRUE(world.open.empty());
    if (status.ok()) { EXPECT_EQ(config.host.interval, Seconds(2)); }
  }
}

TEST(LoadConfig, IncludeWithoutADirectory) {
  ConfigWorld world;
  world.texts["limpet.ini"] = std::string("[agent]\ninclude = *.ini\n") + kDestination;
  Config config;
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(Joined(world.errors),
            "limpet.ini:2: agent.include: limpet.ini: a file does not include itself\n");
}

TEST(LoadConfig, IncludeIsBounded) {
  ConfigWorld world;
  for (int i = 0; i < 70; ++i) world.texts["conf.d/" + std::to_string(i)] = "";
  world.texts["limpet.ini"] = std::string("[agent]\ninclude = conf.d/*\n") + kDestination;
  Config config;
  EXPECT_FALSE(world.Load(config).ok());
  ASSERT_FALSE(world.errors.empty());
  EXPECT_LE(world.errors.size(), 2u);
  EXPECT_NE(world.errors[0].find("more than 64 files"), std::string::npos) << world.errors[0];

  world.texts.clear();
  world.texts["conf.d/a"] = "; " + std::string(100, 'a') + "\n";
  for (int i = 0; i < 12; ++i) world.texts["conf.d/a"] += world.texts["conf.d/a"];
  world.texts["limpet.ini"] = std::string("[agent]\ninclude = conf.d/*\n") + kDestination;
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(Joined(world.errors), "limpet.ini:2: agent.include: conf.d/a: too long: all files "
                                  "together hold 256KiB at most\n");
}

TEST(LoadConfig, UnreadableFiles) {
  ConfigWorld world;
  Config config;
  EXPECT_EQ(world.Load(config, "none.ini").code, Code::kNotFound);
  EXPECT_EQ(Joined(world.errors),
            "none.ini: there is no such file: name another with -c FILE, or start from the "
            "limpet.ini that comes with limpet\n");

  world.refused["limpet.ini"] = Code::kDenied;
  EXPECT_EQ(world.Load(config).code, Code::kDenied);
  EXPECT_EQ(Joined(world.errors), "limpet.ini: cannot be read: permission denied\n");

  world.refused.clear();
  world.refused["conf.d/"] = Code::kDenied;
  world.texts["limpet.ini"] = std::string("[agent]\ninclude = conf.d/*\n") + kDestination;
  EXPECT_EQ(world.Load(config).code, Code::kInvalid);
  EXPECT_EQ(Joined(world.errors), "limpet.ini:2: agent.include: conf.d/: permission denied\n");

  world.texts["limpet.ini"] = std::string(kConfigBytesMax + 1, '\n');
  EXPECT_EQ(world.Load(config).code, Code::kFull);
  EXPECT_EQ(Joined(world.errors), "limpet.ini: too long: a configuration has 256KiB at most\n");
}

// Every size of the arena up to one that does: an error each time, never more than one.
TEST(LoadConfig, ArenaTooSmall) {
  ConfigWorld world;
  world.texts["etc/a.ini"] = "[self]\ninterval = 1s\n";
  world.texts["etc/limpet.ini"] =
      std::string("[agent]\nstate_dir = /state\ninclude = a.ini\n[resource]\na = b\n") +
      kDestination + "header.X = y\n";
  Config config;
  size_t size = 0;
  for (; size < 4096; ++size) {
    SCOPED_TRACE(size);
    world.arena.assign(size, '\0');
    const Status status = world.Load(config, "etc/limpet.ini");
    if (status.ok()) break;
    EXPECT_EQ(status.code, Code::kFull);
    ASSERT_EQ(world.errors.size(), 1u);
    EXPECT_NE(world.errors[0].find("more room than there is"), std::string::npos);
  }
  EXPECT_GT(size, 100u);
  EXPECT_LT(size, 300u);
}

TEST(LoadConfig, TablesAreBounded) {
  ConfigWorld world;
  std::string text;
  for (int i = 0; i < 40; ++i) text += "a" + std::to_string(i) + " = b\n";
  world.texts["limpet.ini"] = "[resource]\n" + text + kDestination;
  Config config;
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(world.errors.size(), 8u);
  EXPECT_EQ(world.errors[0], "limpet.ini:34: resource.a32: there is room for 32 of these");
  EXPECT_EQ(config.resource_count, 32u);

  world.texts["limpet.ini"] = "";
  for (int i = 0; i < 60; ++i) world.texts["limpet.ini"] += "[destination.a" + std::to_string(i) + "]\n";
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(world.errors[40], "limpet.ini:49: more sections than there is room for");

  world.texts["limpet.ini"] = "[log.a]\n";
  for (int i = 0; i < 400; ++i) {
    world.texts["limpet.ini"] += "attribute.a" + std::to_string(i) + " = x\n";
  }
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(world.errors[0], "limpet.ini:10: log.a.attribute.a8: there is room for 8 of these");
  EXPECT_EQ(world.errors[kConfigKeysMax - 8],
            "limpet.ini:386: log.a.attribute.a384: more keys than there is room for");
}

TEST(LoadConfig, LogSources) {
  const std::string many(4000, 'x');
  struct Case { const char* name; std::string text; const char* errors; };
  const Case cases[] = {
      {"a file", "[log.a]\npath = /a, /b/*.log\n", ""},
      {"no path", "[log.a]\n",
       "limpet.ini:1: log.a.path: missing: which files to read, e.g. /var/log/app/*.log\n"},
      {"an empty path", "[log.a]\npath =\n",
       "limpet.ini:2: log.a.path: missing: which files to read, e.g. /var/log/app/*.log\n"},
      {"a path that is not absolute", "[log.a]\npath = /a, log/*.log\n",
       "limpet.ini:2: log.a.path: expected absolute paths of at most 256 bytes, e.g. /var/log/app/*.log\n"},
      {"a path that is too long", "[log.a]\npath = /" + std::string(256, 'x') + "\n",
       "limpet.ini:2: log.a.path: expected absolute paths of at most 256 bytes, e.g. /var/log/app/*.log\n"},
      {"unknown type and format, and only that", "[log.a]\ntype = files\nformat = jsn\n",
       "limpet.ini:2: log.a.type: unknown value files (did you mean file?)\n"
       "limpet.ini:3: log.a.format: unknown value jsn (did you mean json?)\n"},
      {"keys of other types", "[log.a]\npath = /a\nunits = x\npriority = err\nlisten = 127.0.0.1:1\n"
       "insecure = no\ndirectory = /j\n",
       "limpet.ini:3: log.a.units: only with type = journald\n"
       "limpet.ini:4: log.a.priority: only with type = journald or kmsg\n"
       "limpet.ini:5: log.a.listen: only with type = syslog\n"
       "limpet.ini:6: log.a.insecure: only with type = syslog\n"
       "limpet.ini:7: log.a.directory: only with type = journald\n"},
      {"keys of a file", "[log.a]\nstart_at = end\nformat = json\nmultiline = indent\ndiscover = 1s\n"
       "path = /a\ntype = kmsg\n",
       "limpet.ini:3: log.a.format: only with type = file or syslog\n"
       "limpet.ini:4: log.a.multiline: only with type = file\n"
       "limpet.ini:5: log.a.discover: only with type = file or journald\n"
       "limpet.ini:6: log.a.path: only with type = file\n"},
      {"keys of all", "[log.a]\ntype = kmsg\nmax_line = 4KiB\ninclude_records = x\nexclude_records = y\n"
       "severity_min = info\nredact = z\nrate_limit = 1\nattribute.a = b\nresource.a = b\n", ""},
      {"of two only the one at fault", "[log.a]\ntype = journald\nunits = x\n[log.b]\npath = /b\nunits = x\n",
       "limpet.ini:6: log.b.units: only with type = journald\n"},
      {"keys of a format", "[log.a]\npath = /a\nformat = json\ntime_key = t\nlevel_key = l\n"
       "message_key = m\ntime_format = %s\n", ""},
      {"keys of another format", "[log.a]\npath = /a\nformat = cri\ntime_key = t\nlevel_key = l\n"
       "message_key = m\ntime_format = %s\n",
       "limpet.ini:4: log.a.time_key: only with format = json or logfmt\n"
       "limpet.ini:5: log.a.level_key: only with format = json or logfmt\n"
       "limpet.ini:6: log.a.message_key: only with format = json or logfmt\n"
       "limpet.ini:7: log.a.time_format: only with format = json or logfmt\n"},
      {"a time that nobody knows", "[log.a]\npath = /a\nformat = json\ntime_format = %Y-%Q\n[log.b]\npath = /b\nformat = json\n"
       "time_format = abc\n",
       "limpet.ini:4: log.a.time_format: expected auto, or a strptime format: the conversion at character 4 is not "
       "known\n"
       "limpet.ini:8: log.b.time_format: expected auto, or a strptime format\n"},
      {"a time in a plain line", "[log.a]\npath = /a\ntime_format = %s\ntime_key = time\n",
       "limpet.ini:3: log.a.time_format: only with format = json or logfmt\n"},
      {"the text of a message", "[log.a]\ntype = syslog\nlisten = unix:/dev/log\nformat = json\ntime_key = t\n"
       "time_format = %s\n", ""},
      {"no text of a message", "[log.a]\ntype = syslog\nlisten = unix:/dev/log\nformat = cri\n",
       "limpet.ini:4: log.a.format: with type = syslog only plain, json or logfmt, of the text of a message\n"},
      {"nowhere to listen", "[log.a]\ntype = syslog\n",
       "limpet.ini:1: log.a.listen: missing: where to listen, e.g. 127.0.0.1:5514 or unix:/dev/log\n"},
      {"for everybody", "[log.a]\ntype = syslog\nlisten = 0.0.0.0:514\n",
       "limpet.ini:3: log.a.listen: others can reach this address: listen at 127.0.0.1 or [::1], or set "
       "insecure = true here to allow it\n"},
      {"for everybody, and that is wanted",
       "[log.a]\ntype = syslog\nlisten = 0.0.0.0:514\ninsecure = true\n", ""},
      {"a Unix socket", "[log.a]\ntype = syslog\nlisten = unix:/dev/log\n", ""},
      {"the control socket", "[log.a]\ntype = syslog\nlisten = unix:/run/limpet/limpet.sock\n",
       "limpet.ini:3: log.a.listen: this is the control socket: choose another name\n"},
      {"where another one listens",
       "[log.a]\ntype = syslog\nlisten = 127.0.0.1:514\n[log.b]\ntype = syslog\nlisten = 127.0.0.1:514\n"
       "[log.c]\ntype = syslog\nlisten = unix:/dev/log\n[log.d]\ntype = syslog\nlisten = unix:/dev/log\n",
       "limpet.ini:6: log.b.listen: log.a.listen is the same address: choose another port\n"
       "limpet.ini:12: log.d.listen: log.c.listen is the same address: choose another name\n"},
      {"any port of both",
       "[log.a]\ntype = syslog\nlisten = 127.0.0.1:0\n[log.b]\ntype = syslog\nlisten = 127.0.0.1:0\n", ""},
      {"where [health] listens", "[log.a]\ntype = syslog\nlisten = 127.0.0.1:13133\n",
       "limpet.ini:3: log.a.listen: health.listen is the same address: choose another port\n"},
      {"where [receive.otlp] listens",
       "[log.a]\ntype = syslog\nlisten = 127.0.0.1:4318\n[receive.otlp]\n",
       "limpet.ini:3: log.a.listen: receive.otlp.listen is the same address: choose another port\n"},
      {"where [receive.otlp] would listen", "[log.a]\ntype = syslog\nlisten = 127.0.0.1:4318\n", ""},
      {"half a batch", "[log.a]\npath = /a\nmax_line = 32KiB\n", ""},
      {"more than half a batch", "[log.a]\npath = /a\nmax_line = 33KiB\n",
       "limpet.ini:3: log.a.max_line: more than half of queue.batch_bytes (now 64KiB): lower it, or raise "
       "batch_bytes to at least 66KiB\n"},
      {"more than half a batch by default", "[queue]\nbatch_bytes = 16KiB\n[log.a]\npath = /a\n",
       "limpet.ini:3: log.a.max_line: more than half of queue.batch_bytes (now 16KiB): lower it, or raise "
       "batch_bytes to at least 32KiB\n"},
      {"more than memory has", "[log.a]\npath = /a\nmax_line = 1MiB\n",
       "limpet.ini:3: log.a.max_line: more than half of queue.batch_bytes (now 64KiB): lower it, or raise "
       "batch_bytes to at least 2MiB and agent.memory to at least 32MiB\n"},
      {"a line of 1 MiB", "[agent]\nmemory = 32MiB\n[queue]\nbatch_bytes = 2MiB\n[log.a]\npath = /a\n"
       "max_line = 1MiB\n", ""},
      {"too long and too short",
       "[log.a]\npath = /a\nmax_line = 17MiB\n[log.b]\npath = /a\nmax_line = 4095\n",
       "limpet.ini:3: log.a.max_line: expected 4KiB to 16MiB\n"
       "limpet.ini:6: log.b.max_line: expected 4KiB to 16MiB\n"},
      {"attributes", "[queue]\nbatch_bytes = 16KiB\n[resource]\na = " + many +
       "\n[log.a]\npath = /a\nmax_line = 8KiB\nattribute.a = " + many +
       "\n[log.b]\npath = /b\nmax_line = 8KiB\nresource.a = " + many + "\nattribute.b = " + many + "\n",
       "limpet.ini:9: [log.b]: attributes: together with [resource] 12039 bytes, and at most 8192 may be set "
       "(half of queue.batch_bytes, 12288 in all)\n"},
      {"too many attributes", "[log.a]\npath = /a\nattribute.1 = a\nattribute.2 = a\nattribute.3 = a\n"
       "attribute.4 = a\nattribute.5 = a\nattribute.6 = a\nattribute.7 = a\nattribute.8 = a\n"
       "attribute.9 = a\n",
       "limpet.ini:11: log.a.attribute.9: there is room for 8 of these\n"},
      {"the same attribute twice", "[log.a]\npath = /a\nattribute.a = a\nattribute.a = a\n",
       "limpet.ini:4: log.a.attribute.a: already set at limpet.ini:3\n"},
      {"the same source twice", "[log.a]\npath = /a\n[log.a]\n",
       "limpet.ini:3: [log.a]: this section is already at line 1\n"},
      {"nobody takes logs", "[log.a]\npath = /a\n[destination.a]\nurl = http://a\nsignals = metrics\n",
       "limpet.ini:1: [log.a]: makes logs, but no destination takes them (its signals)\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ConfigWorld world;
    world.texts["limpet.ini"] = c.text;
    if (c.text.find("destination") == std::string::npos) world.texts["limpet.ini"] += kDestination;
    Config config;
    EXPECT_EQ(world.Load(config).ok(), c.errors[0] == '\0');
    EXPECT_EQ(Joined(world.errors), c.errors);
  }
}

TEST(LoadConfig, ALogSourcesValues) {
  ConfigWorld world;
  world.settings = {"log.b.units=a.service"};
  world.texts["limpet.ini"] = std::string(kDestination) +
      "[log.a]\npath = /a\n[log.b]\ntype = journald\npriority = warning\nseverity_min = error\n"
      "attribute.x = 1\nresource.service.name = s\n[log.c]\npath = /c\nseverity_min = trace\n"
      "start_at = beginning\nformat = docker\nrate_limit = 7\n";
  Config config;
  ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  ASSERT_EQ(config.log_count, 3u);
  const LogConfig& b = config.logs[0];  // Named first, by --set.
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.type, LogType::kJournald);
  EXPECT_EQ(b.units, "a.service");
  EXPECT_EQ(b.priority, 4);
  EXPECT_EQ(b.severity_min, SeverityMin::kError);
  EXPECT_EQ(b.directory, "/var/log/journal, /run/log/journal");
  ASSERT_EQ(b.attribute_count, 1u);
  EXPECT_EQ(b.attributes[0].key, "x");
  ASSERT_EQ(b.resource_count, 1u);
  EXPECT_EQ(b.resource[0].key, "service.name");
  const LogConfig& a = config.logs[1];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.type, LogType::kFile);
  EXPECT_EQ(a.path, "/a");
  EXPECT_EQ(a.exclude, "*.gz");
  EXPECT_FALSE(a.from_beginning);
  EXPECT_EQ(a.discover, Seconds(10));
  EXPECT_EQ(a.format, LineFormat::kPlain);
  EXPECT_EQ(a.time_key, "time");
  EXPECT_EQ(a.time_format, "auto");
  EXPECT_EQ(a.level_key, "level");
  EXPECT_EQ(a.message_key, "message");
  EXPECT_EQ(a.multiline, "none");
  EXPECT_EQ(a.flush, Seconds(5));
  EXPECT_EQ(a.max_line_bytes, 16u << 10);
  EXPECT_EQ(a.severity_min, SeverityMin::kNone);
  EXPECT_EQ(a.rate_limit, 0u);
  EXPECT_EQ(a.priority, 7);
  const LogConfig& last = config.logs[2];
  EXPECT_TRUE(last.from_beginning);
  EXPECT_EQ(last.format, LineFormat::kDocker);
  EXPECT_EQ(last.severity_min, SeverityMin::kTrace);
  EXPECT_EQ(last.rate_limit, 7u);
}

TEST(LoadConfig, SixteenLogSourcesAndNoMore) {
  ConfigWorld world;
  std::string& text = world.texts["limpet.ini"];
  text = kDestination;
  for (size_t i = 0; i < kLogSourcesMax; ++i) text += "[log.l" + std::to_string(i) + "]\npath = /l\n";
  Config config;
  ASSERT_TRUE(world.Load(config).ok()) << Joined(world.errors);
  EXPECT_EQ(config.log_count, kLogSourcesMax);
  text += "[log.one-too-many]\nunits = x\npaht = y\n";
  EXPECT_EQ(world.Load(config).code, Code::kInvalid);
  EXPECT_EQ(Joined(world.errors),
            "limpet.ini:35: [log.one-too-many]: more than 16 log sources\n"
            "limpet.ini:37: log.one-too-many.paht: unknown key (did you mean path?)\n");
}

TEST(LoadConfig, NeverQuotesASecret) {
  ConfigWorld world;
  world.variables["TOKEN"] = "s3cret\n";
  world.texts["limpet.ini"] =
      "[destination.a]\nurl = htp://user:s3cret@a\nmetrics_url = http://u:s3cret@\n"
      "header.Authorization = \"s3cret\n"
      "header.X = ${TOKEN}\nproxy = http://u:s3cret@p\nheader.A: s3cret\n";
  Config config;
  EXPECT_FALSE(world.Load(config).ok());
  EXPECT_EQ(world.errors.size(), 6u);
  EXPECT_EQ(Joined(world.errors).find("s3cret"), std::string::npos) << Joined(world.errors);
}

// Whoever runs patterns says what is one.
TEST(LoadConfig, PatternsAreCheckedWhereTheyStand) {
  struct NoParentheses final : PatternCheck {
    bool Check(std::string_view pattern, TextWriter& problem) override {
      if (pattern.find('(') == std::string_view::npos) return true;
      problem << "a parenthesis in " << pattern;
      return false;
    }
  } check;
  ConfigWorld world;
  world.patterns = &check;
  world.texts["limpet.ini"] =
      "[destination.a]\nurl = http://localhost\n"
      "[log.a]\npath = /a\nmultiline = (1\ninclude_records = (2\nexclude_records = x\nredact = (3\n"
      "[log.b]\npath = /b\nmultiline = indent\nredact = x\n";
  Config config;
  EXPECT_EQ(world.Load(config).code, Code::kInvalid);
  const std::vector<std::string> expected = {"limpet.ini:5: log.a.multiline: a parenthesis in (1",
                                             "limpet.ini:6: log.a.include_records: a parenthesis in (2",
                                             "limpet.ini:8: log.a.redact: a parenthesis in (3"};
  EXPECT_EQ(world.errors, expected);
  world.patterns = nullptr;
  EXPECT_TRUE(world.Load(config).ok());
}

}  // namespace
}  // namespace limpet
