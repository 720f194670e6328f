#include "config/table.h"

#include "limpet/limits.h"

namespace limpet {
namespace {

// Where a value goes: in the configuration, or in the destination or the log source at hand.
#define AT(member) [](const Owners& o) { return PlaceOf(o.config.member); }
#define IN(member) [](const Owners& o) { return PlaceOf(o.destination.member); }
#define OF(member) [](const Owners& o) { return PlaceOf(o.log.member); }
#define PAIRS_AT(items, count) \
  [](const Owners& o) { return Place(Pairs{o.config.items, &o.config.count}); }
#define PAIRS_IN(items, count) \
  [](const Owners& o) { return Place(Pairs{o.destination.items, &o.destination.count}); }
#define PAIRS_OF(items, count) \
  [](const Owners& o) { return Place(Pairs{o.log.items, &o.log.count}); }

using PlaceFunction = Place (*)(const Owners&);
constexpr PlaceFunction kNotBuilt = nullptr;

template <typename T>
Place PlaceOf(T& member) {
  if constexpr (std::is_enum_v<T>) {
    static_assert(std::is_same_v<std::underlying_type_t<T>, uint8_t>);
    return reinterpret_cast<uint8_t*>(&member);  // An enum over uint8_t is such a byte.
  } else {
    return &member;
  }
}

constexpr double kMs = 1e6, kDay = 86400e9;
constexpr double kTimeMin = 10 * kMs, kTimeMax = 30 * kDay;
constexpr double kKiBytes = kKiB, kMiBytes = kMiB, kGiBytes = 1024.0 * kMiB;
constexpr double kCountMax = 1e6;

// A row for each kind: section, key, default, what the kind needs, place, help.
using Word = const char*;
constexpr Row Text(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return {section, key, Kind::kText, fallback, help, place};
}
constexpr Row Of(Kind kind, Row row) {
  row.kind = kind;
  return row;
}
constexpr Row Path(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kPath, Text(section, key, fallback, place, help));
}
constexpr Row List(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kList, Text(section, key, fallback, place, help));
}
constexpr Row Url(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kUrl, Text(section, key, fallback, place, help));
}
constexpr Row WholeUrl(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kWholeUrl, Text(section, key, fallback, place, help));
}
constexpr Row ListenAt(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kAddress, Text(section, key, fallback, place, help));
}
constexpr Row ListenAtOrUnix(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kListener, Text(section, key, fallback, place, help));
}
constexpr Row Boolean(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kBoolean, Text(section, key, fallback, place, help));
}
constexpr Row Date(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kDate, Text(section, key, fallback, place, help));
}
constexpr Row Choice(Word section, Word key, Word fallback, Word choices, PlaceFunction place,
                     Word help) {
  Row row = Of(Kind::kChoice, Text(section, key, fallback, place, help));
  row.choices = choices;
  return row;
}
constexpr Row Flags(Word section, Word key, Word fallback, Word choices, PlaceFunction place,
                    Word help) {
  return Of(Kind::kFlags, Choice(section, key, fallback, choices, place, help));
}
constexpr Row Number(Word section, Word key, Word fallback, double min, double max,
                     PlaceFunction place, Word help) {
  Row row = Of(Kind::kNumber, Text(section, key, fallback, place, help));
  row.min = min, row.max = max;
  return row;
}
constexpr Row Size(Word section, Word key, Word fallback, double min, double max,
                   PlaceFunction place, Word help) {
  return Of(Kind::kSize, Number(section, key, fallback, min, max, place, help));
}
constexpr Row Count(Word section, Word key, Word fallback, double min, double max,
                    PlaceFunction place, Word help) {
  return Of(Kind::kCount, Number(section, key, fallback, min, max, place, help));
}
constexpr Row Percent(Word section, Word key, Word fallback, double min, PlaceFunction place,
                      Word help) {
  return Of(Kind::kPercent, Number(section, key, fallback, min, 100, place, help));
}
/// An interval or a time-out.
constexpr Row Time(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kDuration, Number(section, key, fallback, kTimeMin, kTimeMax, place, help));
}
/// How old something may grow.
constexpr Row Age(Word section, Word key, Word fallback, PlaceFunction place, Word help) {
  return Of(Kind::kDuration, Number(section, key, fallback, kTimeMin, 365 * kDay, place, help));
}
constexpr Row OrNone(Row row) {
  row.none = true;
  return row;
}
constexpr Row Secret(Row row) {
  row.secret = true;
  return row;
}

// Of a log source: the types that the key is for.
constexpr LogTypeSet kFile = Bit(LogType::kFile), kJournald = Bit(LogType::kJournald),
                     kSyslog = Bit(LogType::kSyslog), kKmsg = Bit(LogType::kKmsg);
constexpr Row For(LogTypeSet types, Row row) {
  row.types = types;
  return row;
}

constexpr bool kBuilt = true, kUnbuilt = false;
constexpr SectionRow kSections[] = {
    {"agent", "the program itself", kBuilt},
    {"resource", "attributes of all that this host sends; host.*, os.* are detected", kBuilt},
    {"host", "metrics of this host", kBuilt, [](Config& c) { return &c.host.present; }},
    {"log.*", "one for each source of log records", kBuilt},
    {"receive.otlp", "OTLP/HTTP from local programs: protobuf, JSON", kBuilt,
     [](Config& c) { return &c.receive.present; }},
    {"receive.statsd", "statsd from local programs", kUnbuilt},
    {"queue", "batches in memory", kBuilt},
    {"spool", "batches on flash", kBuilt},
    {"destination.*", "where it all goes: at least one, with a URL", kBuilt},
    {"breaker", "when to leave a destination alone; each key also there", kBuilt},
    {"retry", "between attempts while the breaker is closed", kBuilt},
    {"clock", "what to do about a wrong clock", kBuilt},
    {"health", "HTTP: /health /ready /metrics /status", kBuilt},
    {"self", "limpet's own metrics, through its own pipeline", kBuilt},
};

constexpr Row kRows[] = {
    Path("agent", "state_dir", "/var/lib/limpet", AT(agent.state_dir),
         "spool, checkpoints, identity"),
    Path("agent", "run_dir", "/run/limpet", AT(agent.run_dir),
         "control socket; falls back to state_dir"),
    Size("agent", "memory", "3MiB", kMemoryMin, kGiBytes, AT(agent.memory_bytes),
         "every pool together: 1MiB and up"),
    List("agent", "include", "", AT(agent.include),
         "more files, e.g. conf.d/*.ini, relative to this one"),
    Boolean("agent", "record_uid", "true", AT(agent.record_uid), "log.record.uid on collected log records"),
    Choice("agent", "log_level", "info", "error warn info debug", AT(agent.log_level),
           "error warn info debug"),
    Choice("agent", "log_format", "text", "text json", AT(agent.log_format), "text json"),
    Time("agent", "shutdown_timeout", "30s", AT(agent.shutdown_timeout),
         "for sending what is left at a graceful stop"),

    Text("resource", "*", "", PAIRS_AT(resource, resource_count), "any name, e.g. site = plant-7"),

    Time("host", "interval", "10s", AT(host.interval), "between two readings"),
    Flags("host", "metrics",
          "cpu, load, memory, paging, disk, filesystem, network, connections, processes, system, "
          "pressure, thermal, hwmon, power, flash, clock",
          "cpu load memory paging disk filesystem network connections processes system "
          "pressure thermal hwmon power flash clock",
          AT(host.groups), "groups of metrics"),
    List("host", "process", "", AT(host.process), "names (globs) of processes to report one by one"),
    Path("host", "textfile", "", AT(host.textfile), "glob of *.prom files (Prometheus text) to merge in"),
    Time("host", "textfile_max_age", "5m", AT(host.textfile_max_age),
         "older files are left out and reported"),
    Choice("host", "semconv", "1.44", "1.44 collector", AT(host.names),
           "1.44, or collector: the names of the Collector's hostmetrics receiver"),
    Path("host", "root", "/", AT(host.root), "another root for /proc and /sys (containers, tests)"),
    List("host", "exclude_devices", "loop*, ram*, zram*", AT(host.exclude_devices),
         "block devices left out (globs)"),
    List("host", "exclude_interfaces", "lo, veth*", AT(host.exclude_interfaces),
         "network interfaces left out (globs)"),
    List("host", "exclude_filesystems", "tmpfs, proc, sysfs, overlay",
         AT(host.exclude_filesystems),
         "types of filesystems left out (globs)"),

    Choice("log.*", "type", "file", "file journald syslog kmsg", OF(type),
           "file journald syslog kmsg"),
    For(kFile, List("log.*", "path", "", OF(path), "file: globs, found again every `discover`")),
    For(kFile, List("log.*", "exclude", "*.gz", OF(exclude), "file: globs of paths left out")),
    For(kFile | kJournald | kKmsg,
        Choice("log.*", "start_at", "end", "end beginning", OF(from_beginning),
               "end beginning; for files there at the very first start")),
    For(kFile | kJournald, Time("log.*", "discover", "10s", OF(discover), "between two looks for new files")),
    For(kFile | kSyslog,
        Choice("log.*", "format", "plain", "plain json logfmt syslog cri docker", OF(format),
               "plain json logfmt syslog cri docker")),
    For(kFile | kSyslog, Text("log.*", "time_key", "time", OF(time_key), "json, logfmt: the field with the time")),
    For(kFile | kSyslog, Text("log.*", "time_format", "auto", OF(time_format), "auto, or a strptime format")),
    For(kFile | kSyslog,
        Text("log.*", "level_key", "level", OF(level_key), "json, logfmt: the field with the severity")),
    For(kFile | kSyslog,
        Text("log.*", "message_key", "message", OF(message_key), "json, logfmt: the field with the text")),
    For(kFile, Text("log.*", "multiline", "none", OF(multiline),
                    "none, indent, or a regular expression that begins a record")),
    For(kFile, Time("log.*", "flush", "5s", OF(flush), "an unfinished multiline record is sent after this")),
    Size("log.*", "max_line", "16KiB", 4 * kKiBytes, 16 * kMiBytes, OF(max_line_bytes),
         "longer: cut there, marked limpet.truncated, counted"),
    Text("log.*", "include_records", "", OF(include_records),
         "regular expression: keep only what matches"),
    Text("log.*", "exclude_records", "", OF(exclude_records),
         "regular expression: leave out what matches"),
    Choice("log.*", "severity_min", "", "trace debug info warn error fatal", OF(severity_min),
           "trace debug info warn error fatal"),
    Text("log.*", "redact", "", OF(redact), "regular expression: matches become ***"),
    OrNone(Count("log.*", "rate_limit", "0", 1, kCountMax, OF(rate_limit),
                 "records per second, 0 = none; the rest is dropped and counted")),
    Text("log.*", "attribute.*", "", PAIRS_OF(attributes, attribute_count), "set on every record"),
    Text("log.*", "resource.*", "", PAIRS_OF(resource, resource_count),
         "resource attribute of this source"),
    For(kSyslog, ListenAtOrUnix("log.*", "listen", "", OF(listen),
                                "syslog: ADDRESS:PORT (UDP and TCP), or unix:/dev/log")),
    For(kSyslog, Boolean("log.*", "insecure", "false", OF(insecure),
                         "syslog: allow a listener beyond loopback")),
    For(kJournald, List("log.*", "units", "", OF(units), "journald: only these units")),
    For(kJournald | kKmsg,
        Choice("log.*", "priority", "debug", "emerg alert crit err warning notice info debug",
               OF(priority), "journald, kmsg: this and more severe")),
    For(kJournald, List("log.*", "directory", "/var/log/journal, /run/log/journal", OF(directory),
                        "journald: where its files are")),

    ListenAtOrUnix("receive.otlp", "listen", "127.0.0.1:4318", AT(receive.listen),
                   "or unix:/run/limpet/otlp.sock"),
    Size("receive.otlp", "max_body", "512KiB", 4 * kKiBytes, kGiBytes, AT(receive.max_body_bytes),
         "before and after decompression"),
    Count("receive.otlp", "max_connections", "16", 1, 1024, AT(receive.max_connections),
          "at the same time"),
    Time("receive.otlp", "idle_timeout", "10s", AT(receive.idle_timeout),
         "a silent client loses its connection"),
    Choice("receive.otlp", "resource", "keep", "keep merge", AT(receive.merge),
           "keep, or merge: add the host's attributes where missing"),
    Path("receive.otlp", "tls_cert", "", AT(receive.tls_cert),
         "file: certificate of this listener, its chain behind it"),
    Path("receive.otlp", "tls_key", "", AT(receive.tls_key), "file: its key"),
    Path("receive.otlp", "tls_client_ca", "", AT(receive.tls_client_ca),
         "file: clients need a certificate of these"),
    Path("receive.otlp", "bearer_token_file", "", AT(receive.bearer_token_file),
         "file with the token that clients need"),
    Boolean("receive.otlp", "insecure", "false", AT(receive.insecure),
            "allow a listener beyond loopback without either"),

    Text("receive.statsd", "listen", "127.0.0.1:8125", kNotBuilt, "UDP"),
    Time("receive.statsd", "interval", "10s", kNotBuilt,
         "what arrived within it becomes one point"),
    Boolean("receive.statsd", "insecure", "false", kNotBuilt, "allow a listener beyond loopback"),

    Choice("queue", "order", "strict", "strict live_first", AT(queue.order),
           "strict: oldest first; live_first: new data beside the backlog"),
    Choice("queue", "order.metrics", "", "strict live_first", AT(queue.order_of[0]),
           "the same for one signal"),
    Choice("queue", "order.logs", "", "strict live_first", AT(queue.order_of[1]),
           "likewise"),
    Choice("queue", "order.traces", "", "strict live_first", AT(queue.order_of[2]),
           "likewise"),
    Percent("queue", "drain_share", "25%", 1, AT(queue.drain_share_percent),
            "live_first: the backlog's part of the requests"),
    Count("queue", "batch_items", "512", 1, kCountMax, AT(queue.batch_items),
          "points, records or spans of a batch at most"),
    Size("queue", "batch_bytes", "64KiB", 4 * kKiBytes, 64 * kMiBytes, AT(queue.batch_bytes),
         "before compression; a sixteenth of memory at most"),
    Time("queue", "batch_delay", "1s", AT(queue.batch_delay),
         "an open batch closes after this; a host cycle closes its own"),
    OrNone(Age("queue", "max_age", "0", AT(queue.max_age),
               "older data is dropped and counted, 0 = never")),

    Choice("spool", "durability", "on_demand", "on_demand always never", AT(spool.durability),
           "on_demand: what cannot be delivered; always: all, before it is sent; never"),
    Size("spool", "max_size", "64MiB", kMiBytes, 1024 * kGiBytes, AT(spool.max_bytes),
         "all files of the spool together"),
    OrNone(Size("spool", "min_free", "16MiB", 4 * kKiBytes, 1024 * kGiBytes,
                AT(spool.min_free_bytes), "never fill the filesystem further, 0 = none")),
    Choice("spool", "overflow", "drop_oldest", "drop_oldest drop_newest pause_sources",
           AT(spool.overflow), "drop_oldest drop_newest pause_sources"),
    Percent("spool", "share.metrics", "25%", 0, AT(spool.share_percent[Index(Signal::kMetrics)]),
            "of max_size, kept for a signal whatever the others do"),
    Percent("spool", "share.logs", "25%", 0, AT(spool.share_percent[Index(Signal::kLogs)]),
            "likewise"),
    Percent("spool", "share.traces", "25%", 0, AT(spool.share_percent[Index(Signal::kTraces)]),
            "likewise"),
    Time("spool", "commit_interval", "5s", AT(spool.commit_interval),
         "one transaction each while spilling"),
    Choice("spool", "sync", "full", "full normal", AT(spool.sync),
           "full normal; normal may lose the last commits at power loss"),
    Size("spool", "dead_max_size", "4MiB", 4 * kKiBytes, 1024 * kGiBytes, AT(spool.dead_max_bytes),
         "dead letters together, a part of max_size"),

    Secret(Url("destination.*", "url", "", IN(url),
               "/v1/metrics, /v1/logs, /v1/traces are appended")),
    Secret(WholeUrl("destination.*", "metrics_url", "", IN(signal_url[0]),
                    "a whole URL instead, for one signal")),
    Secret(WholeUrl("destination.*", "logs_url", "", IN(signal_url[1]), "likewise")),
    Secret(WholeUrl("destination.*", "traces_url", "", IN(signal_url[2]), "likewise")),
    Count("destination.*", "priority", "1", 1, 1000, IN(priority),
          "the lowest healthy one wins; equal ones alternate"),
    Flags("destination.*", "signals", "metrics, logs, traces", "metrics logs traces", IN(signals),
          "what it takes"),
    Time("destination.*", "timeout", "10s", IN(timeout),
         "without progress; a request has 10 minutes in all"),
    Choice("destination.*", "compression", "gzip", "none gzip", IN(gzip), "gzip none"),
    Choice("destination.*", "guarantee", "at_least_once",
           "at_least_once at_most_once exactly_once", IN(guarantee),
           "at_least_once at_most_once exactly_once"),
    OrNone(Count("destination.*", "max_bytes_per_second", "0", 100, 4e9,
                 IN(max_bytes_per_second), "0 = none, else 100 and up")),
    Path("destination.*", "header.*_file", "", PAIRS_IN(header_files, header_file_count),
         "the value of a header out of a file, read again when it changes"),
    Secret(Text("destination.*", "header.*", "", PAIRS_IN(headers, header_count),
                "sent with every request, e.g. header.X-Scope-OrgID = edge")),
    Path("destination.*", "bearer_token_file", "", IN(bearer_token_file),
         "file with the token for Authorization, likewise"),
    Path("destination.*", "tls_ca", "/etc/ssl/certs/ca-certificates.crt", IN(tls_ca),
         "file: whom to trust"),
    Path("destination.*", "tls_cert", "", IN(tls_cert), "file: client certificate, its chain behind it"),
    Path("destination.*", "tls_key", "", IN(tls_key), "file: its key"),
    Of(Kind::kHost, Text("destination.*", "tls_server_name", "", IN(tls_server_name),
                         "the name in the certificate when it is not the URL's")),
    Of(Kind::kPins, Text("destination.*", "tls_pin", "", IN(tls_pin),
                         "sha256//... of the public key, or several in quotes, with ; between")),
    Boolean("destination.*", "tls_insecure", "false", IN(tls_insecure),
            "do not verify certificates; warns every hour"),
    Secret(Of(Kind::kProxy, Text("destination.*", "proxy", "", IN(proxy),
                                 "http://[user:password@]host:port"))),
    Path("destination.*", "proxy_file", "", IN(proxy_file), "the same out of a file"),
    Count("destination.*", "failures", "", 1, kCountMax, IN(breaker_failures),
          "these four as in [breaker], for this one alone"),
    Time("destination.*", "open", "", IN(breaker_open), "likewise"),
    Time("destination.*", "open_max", "", IN(breaker_open_max), "likewise"),
    Time("destination.*", "failback", "", IN(breaker_failback), "likewise"),

    Count("breaker", "failures", "5", 1, kCountMax, AT(breaker.failures),
          "consecutive ones open it"),
    Time("breaker", "open", "5s", AT(breaker.open),
         "the first pause; doubles with jitter while probes fail"),
    Time("breaker", "open_max", "2m", AT(breaker.open_max), "the longest pause"),
    Time("breaker", "failback", "30s", AT(breaker.failback), "healthy this long before traffic returns"),

    Time("retry", "initial", "1s", AT(retry.initial), "the first pause"),
    Number("retry", "multiplier", "2", 1, 100, AT(retry.multiplier),
           "each pause against the one before, 1 to 100"),
    Time("retry", "max", "30s", AT(retry.max), "the longest pause"),
    Number("retry", "jitter", "0.5", 0, 1, AT(retry.jitter),
           "the part of a pause that is random, 0 to 1"),
    OrNone(Age("retry", "max_elapsed", "0", AT(retry.max_elapsed),
               "then dead letter; 0 = for as long as the data may be kept")),

    Time("clock", "step", "500ms", AT(clock.step), "a jump of wall time beyond this is a step"),
    Time("clock", "max_skew", "5s", kNotBuilt, "against the destination's Date header"),
    Date("clock", "unset_before", "2024-01-01", AT(clock.unset_before),
         "wall time before this means: not set yet"),
    Choice("clock", "on_unset", "hold", "hold send", kNotBuilt,
           "hold: correct its time once the clock is set; send: as is, marked"),
    Choice("clock", "on_backstep", "drop", "drop send", kNotBuilt,
           "drop send: cycles not later than the newest sent one"),
    Boolean("clock", "trust_server_date", "false", kNotBuilt,
            "believe a TLS destination's Date when there is no other evidence"),

    ListenAt("health", "listen", "127.0.0.1:13133", AT(health.listen), "empty = off"),
    Text("health", "bearer_token_file", "", kNotBuilt, "clients need this token"),
    Boolean("health", "insecure", "false", AT(health.insecure), "allow a listener beyond loopback"),

    OrNone(Time("self", "interval", "60s", AT(self.interval), "0 = off")),
};

constexpr bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// Defaults are ours: one that does not parse stops the process (and fails the table's test).
void SetDefault(const Row& row, const Place& place) {
  if (row.fallback[0] == '\0' || std::holds_alternative<Pairs>(place)) return;
  TextBuffer<128> problem;
  const Result<Value> value = ParseValue(row.kind, row.choices, row.fallback, problem);
  LIMPET_CHECK(value.ok());
  StoreValue(place, value.value());
}

void SetDefaults(const Owners& owners, bool (*of)(std::string_view section)) {
  for (const Row& row : kRows) {
    if (row.place != nullptr && of(row.section)) SetDefault(row, row.place(owners));
  }
}

}  // namespace

std::span<const Row> Rows() { return kRows; }
std::span<const SectionRow> Sections() { return kSections; }

bool MatchesName(std::string_view pattern, std::string_view name, std::string_view* star) {
  const size_t at = pattern.find('*');
  if (at == std::string_view::npos) {
    *star = {};
    return pattern == name;
  }
  const std::string_view before = pattern.substr(0, at), after = pattern.substr(at + 1);
  if (name.size() <= before.size() + after.size()) return false;
  if (!name.starts_with(before) || !name.ends_with(after)) return false;
  *star = name.substr(at, name.size() - before.size() - after.size());
  return true;
}

const Row* FindRow(std::string_view section, std::string_view key, std::string_view* star) {
  for (const Row& row : kRows) {
    if (row.section == section && MatchesName(row.key, key, star)) return &row;
  }
  return nullptr;
}

const SectionRow* FindSection(std::string_view name, std::string_view* star) {
  for (const SectionRow& row : kSections) {
    if (!MatchesName(row.name, name, star)) continue;
    if (star->size() > 32) return nullptr;
    for (const char c : *star) {
      if (!IsNameCharacter(c)) return nullptr;
    }
    return &row;
  }
  return nullptr;
}

void StoreValue(const Place& place, const Value& value) {
  if (auto* const text = std::get_if<std::string_view*>(&place)) **text = value.text;
  if (auto* const time = std::get_if<Duration*>(&place)) (*time)->ns = value.integer;
  if (auto* const date = std::get_if<UnixTime*>(&place)) (*date)->ns = value.integer;
  if (auto* const n64 = std::get_if<uint64_t*>(&place)) **n64 = uint64_t(value.integer);
  if (auto* const n32 = std::get_if<uint32_t*>(&place)) **n32 = uint32_t(value.integer);
  if (auto* const number = std::get_if<double*>(&place)) **number = value.number;
  if (auto* const byte = std::get_if<uint8_t*>(&place)) **byte = uint8_t(value.integer);
  if (auto* const truth = std::get_if<bool*>(&place)) **truth = value.integer != 0;
}

Value LoadValue(const Place& place) {
  Value value;
  if (auto* const text = std::get_if<std::string_view*>(&place)) value.text = **text;
  if (auto* const time = std::get_if<Duration*>(&place)) value.integer = (*time)->ns;
  if (auto* const date = std::get_if<UnixTime*>(&place)) value.integer = (*date)->ns;
  if (auto* const n64 = std::get_if<uint64_t*>(&place)) value.integer = int64_t(**n64);
  if (auto* const n32 = std::get_if<uint32_t*>(&place)) value.integer = **n32;
  if (auto* const number = std::get_if<double*>(&place)) value.number = **number;
  if (auto* const byte = std::get_if<uint8_t*>(&place)) value.integer = **byte;
  if (auto* const truth = std::get_if<bool*>(&place)) value.integer = **truth ? 1 : 0;
  return value;
}

void SetDefaults(Config& config) {
  DestinationConfig no_destination;
  LogConfig no_log;
  SetDefaults({config, no_destination, no_log}, [](std::string_view section) {
    return section != kDestinationSection && section != kLogSection;
  });
}

void SetDefaults(DestinationConfig& destination) {
  Config unused;
  LogConfig no_log;
  SetDefaults({unused, destination, no_log},
              [](std::string_view section) { return section == kDestinationSection; });
}

void SetDefaults(LogConfig& log) {
  Config unused;
  DestinationConfig no_destination;
  SetDefaults({unused, no_destination, log},
              [](std::string_view section) { return section == kLogSection; });
}

}  // namespace limpet
