#include "config/print.h"

#include <gtest/gtest.h>

#include <string>

#include "config/table.h"
#include "config_fixture.h"

namespace limpet {
namespace {

std::string Printed(const Config& config) {
  TextBuffer<16 * 1024> text;
  PrintConfig(text, config);
  EXPECT_FALSE(text.overflowed());
  return std::string(text.text());
}

// Everything away from its default, with texts that need quotes; no secrets.
const char kAll[] = R"(
[agent]
state_dir = "/s;t"
run_dir = " /r "
memory = 8193KiB
record_uid = false
log_level = debug
log_format = json
shutdown_timeout = 5500ms
[resource]
site = "a;\"b\\"
cost = $$5
note = ""
[host]
interval = 90s
metrics = memory, clock
root = "\"host\""
exclude_devices =
exclude_interfaces = lo
[log.app]
path = "/var/log/a;b/*.log, /srv/log"
exclude =
start_at = beginning
discover = 250ms
format = json
time_key = ts
time_format = "%d/%b/%Y:%H:%M:%S"
level_key = lvl
message_key = msg
multiline = "^\\[;"
flush = 90s
max_line = 5000
include_records = "a$$"
exclude_records = "\"x\""
severity_min = warn
redact = [0-9]+
rate_limit = 10
attribute.team = "a;b"
attribute.empty = ""
resource.service.name = app
[log.net]
type = syslog
listen = 0.0.0.0:514
insecure = true
[log.journal]
type = journald
units = a.service, b@*.service
priority = err
directory = /j
[log.kernel]
type = kmsg
priority = emerg
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
order.traces = strict
drain_share = 1%
batch_items = 10
batch_bytes = 100000
batch_delay = 2m
max_age = 36h
[spool]
durability = always
max_size = 1025KiB
min_free = 1MiB
overflow = drop_newest
share.metrics = 1%
share.logs = 98%
share.traces = 0%
commit_interval = 1500ms
sync = normal
dead_max_size = 5000
[destination.edge]
url = https://gateway/otlp/
logs_url = "https://logs/in;z"
priority = 3
signals = metrics, logs
timeout = 1d
compression = none
guarantee = at_most_once
max_bytes_per_second = 100
header.X-A_file = /a
bearer_token_file = /token
tls_ca = /ca
tls_cert = /cert
tls_key = /key
tls_server_name = other.example
tls_pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
tls_insecure = on
proxy = http://proxy:3128
failures = 2
open = 1s
open_max = 1h
failback = 15ms
[destination.other]
url = http://backup
priority = 4
guarantee = exactly_once
[breaker]
failures = 7
open = 3s
open_max = 4s
failback = 2m
[retry]
initial = 2s
multiplier = 1.1
max = 3s
jitter = 0.125
max_elapsed = 365d
[clock]
step = 1s
unset_before = 2025-06-30
[health]
listen = [::]:80
insecure = true
[self]
interval = 0
)";

void ExpectSame(const Owners& one, const Owners& other) {
  for (const Row& row : Rows()) {
    if (row.place == nullptr) continue;
    SCOPED_TRACE(std::string(row.section) + "." + row.key);
    const Place a = row.place(one), b = row.place(other);
    const Pairs* const pairs = std::get_if<Pairs>(&a);
    if (pairs == nullptr) {
      EXPECT_TRUE(SameValue(row.kind, LoadValue(a), LoadValue(b)));
      continue;
    }
    const Pairs& back = std::get<Pairs>(b);
    ASSERT_EQ(*pairs->count, *back.count);
    for (size_t i = 0; i < *pairs->count; ++i) {
      EXPECT_EQ(pairs->items[i].key, back.items[i].key);
      EXPECT_EQ(pairs->items[i].value, back.items[i].value);
    }
  }
}

TEST(PrintConfig, CanBeLoadedAgain) {
  for (const char* const text : {kAll, "[destination.a]\nmetrics_url = http://a/in\n"}) {
    ConfigWorld world, again;
    world.texts["limpet.ini"] = text;
    Config config, back;
    ASSERT_TRUE(world.Load(config).ok());
    const std::string printed = Printed(config);
    again.texts["limpet.ini"] = printed;
    ASSERT_TRUE(again.Load(back).ok()) << again.errors[0] << "\n" << printed;
    EXPECT_EQ(Printed(back), printed);

    EXPECT_EQ(back.host.present, config.host.present);
    EXPECT_EQ(back.receive.present, config.receive.present);
    ASSERT_EQ(back.destination_count, config.destination_count);
    for (size_t i = 0; i < config.destination_count; ++i) {
      EXPECT_EQ(back.destinations[i].name, config.destinations[i].name);
      ExpectSame({config, config.destinations[i], config.logs[0]},
                 {back, back.destinations[i], back.logs[0]});
    }
    ASSERT_EQ(back.log_count, config.log_count);
    for (size_t i = 0; i < config.log_count; ++i) {
      EXPECT_EQ(back.logs[i].name, config.logs[i].name);
      ExpectSame({config, config.destinations[0], config.logs[i]},
                 {back, back.destinations[0], back.logs[i]});
    }
  }
}

// Of each destination what is in effect there, whatever [breaker] says for the others.
TEST(PrintConfig, EveryDestinationWithItsOwnKeys) {
  ConfigWorld world;
  world.texts["limpet.ini"] = kAll;
  Config config;
  ASSERT_TRUE(world.Load(config).ok());
  const std::string printed = Printed(config);
  const size_t edge = printed.find("[destination.edge]\n"), other = printed.find("[destination.other]\n"),
               end = printed.find("[breaker]\n");
  ASSERT_TRUE(edge < other && other < end && end != std::string::npos) << printed;
  const auto between = [&](size_t from, size_t to, const char* line) {
    const size_t at = printed.find(line, from);
    return at != std::string::npos && at < to;
  };
  for (const char* const line : {"\nfailures = 2\n", "\nopen = 1s\n", "\nopen_max = 1h\n",
                                 "\nfailback = 15ms\n", "\nguarantee = at_most_once\n"}) {
    EXPECT_TRUE(between(edge, other, line)) << line << printed;
  }
  for (const char* const line : {"\nfailures = 7\n", "\nopen = 3s\n", "\nopen_max = 4s\n",
                                 "\nfailback = 2m\n", "\nguarantee = exactly_once\n", "\npriority = 4\n"}) {
    EXPECT_TRUE(between(other, end, line)) << line << printed;
  }
}

// A source has the keys of its type, the others have no meaning there.
TEST(PrintConfig, EverySourceWithTheKeysOfItsType) {
  ConfigWorld world;
  world.texts["limpet.ini"] =
      "[log.f]\npath = /a\n[log.j]\ntype = journald\n[log.s]\ntype = syslog\nlisten = unix:/dev/log\n"
      "[log.k]\ntype = kmsg\n[destination.a]\nurl = http://a\n";
  Config config;
  ASSERT_TRUE(world.Load(config).ok());
  const std::string printed = Printed(config);
  const std::string common = "include_records =|exclude_records =|severity_min =|redact =|rate_limit = 0|";
  struct Case { const char* name; std::string lines; };
  const Case cases[] = {
      {"f", "type = file|path = /a|exclude = *.gz|start_at = end|discover = 10s|format = plain|"
            "time_key = time|time_format = auto|level_key = level|message_key = message|multiline = none|"
            "flush = 5s|max_line = 16KiB|" + common},
      {"j", "type = journald|start_at = end|discover = 10s|max_line = 16KiB|" + common +
            "units =|priority = debug|directory = /var/log/journal, /run/log/journal|"},
      {"s", "type = syslog|format = plain|time_key = time|time_format = auto|level_key = level|message_key = message|"
       "max_line = 16KiB|" + common + "listen = unix:/dev/log|insecure = false|"},
      {"k", "type = kmsg|start_at = end|max_line = 16KiB|" + common + "priority = debug|"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string header = std::string("[log.") + c.name + "]\n";
    const size_t at = printed.find(header);
    ASSERT_NE(at, std::string::npos) << printed;
    const size_t from = at + header.size();
    std::string section = printed.substr(from, printed.find("\n\n", from) + 1 - from), lines;
    for (size_t i = 0; i < section.size(); ++i) {
      if (section[i] == ' ' && section[i + 1] == '\n') continue;  // Behind the = of an empty value.
      lines += section[i] == '\n' ? '|' : section[i];
    }
    EXPECT_EQ(lines, c.lines);
  }
  ConfigWorld again;
  again.texts["limpet.ini"] = printed;
  EXPECT_TRUE(again.Load(config).ok()) << again.errors[0];
}

TEST(PrintConfig, EveryBuiltKeyIsThere) {
  ConfigWorld world;
  world.texts["limpet.ini"] = kAll;
  Config config;
  ASSERT_TRUE(world.Load(config).ok());
  const std::string printed = "\n" + Printed(config);
  for (const Row& row : Rows()) {
    const std::string line = std::string("\n") + row.key + " = ";
    if (row.place == nullptr || std::string_view(row.key).find('*') != std::string::npos) continue;
    EXPECT_NE(printed.find(line), std::string::npos) << row.section << "." << row.key;
  }
}

TEST(PrintConfig, MasksSecrets) {
  ConfigWorld world;
  world.texts["limpet.ini"] =
      "[destination.a]\nurl = https://user:s3cret@gateway/x\n"
      "logs_url = \"https://s3cret@logs/a;b\"\n"
      "traces_url = https://traces/in?key=s3cret\n"
      "header.Authorization = Bearer s3cret\nheader.X-Scope-OrgID = s3cret\n"
      "proxy = http://user:s3cret@proxy:3128\n";
  Config config;
  ASSERT_TRUE(world.Load(config).ok());
  const std::string printed = Printed(config);
  EXPECT_EQ(printed.find("s3cret"), std::string::npos) << printed;
  for (const char* const line :
       {"\nurl = https://***@gateway/x\n", "\nmetrics_url = https://***@gateway/x/v1/metrics\n",
        "\nlogs_url = \"https://***@logs/a;b\"\n", "\ntraces_url = https://traces/in?***\n", "\nheader.Authorization = ***\n",
        "\nheader.X-Scope-OrgID = ***\n",
        "\nproxy = http://***@proxy:3128\n"}) {
    EXPECT_NE(printed.find(line), std::string::npos) << line << printed;
  }
  ConfigWorld again;
  again.texts["limpet.ini"] = printed;
  EXPECT_TRUE(again.Load(config).ok()) << again.errors[0];
  EXPECT_EQ(Printed(config), printed);
}

TEST(PrintConfig, WhatIsCutIsNoticed) {
  ConfigWorld world;
  world.texts["limpet.ini"] = kAll;
  Config config;
  ASSERT_TRUE(world.Load(config).ok());
  TextBuffer<100> text;
  PrintConfig(text, config);
  EXPECT_TRUE(text.overflowed());
}

}  // namespace
}  // namespace limpet
