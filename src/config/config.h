// The effective configuration as plain values. Loaded by load.h, printed by print.h; which keys
// exist, their ranges and defaults is settled by the one table in table.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/batch.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/time.h"

namespace limpet {

enum class LogFormat : uint8_t { kText, kJson };
enum class Overflow : uint8_t { kDropOldest, kDropNewest, kPauseSources };
enum class Durability : uint8_t { kOnDemand, kAlways, kMemoryOnly };  ///< on_demand, always, never.
enum class Sync : uint8_t { kFull, kNormal };
enum class Order : uint8_t { kStrict, kLiveFirst, kUnset };
/// What follows an attempt whose outcome is not known (spec.md section 3, guarantee).
enum class Guarantee : uint8_t { kAtLeastOnce, kAtMostOnce, kExactlyOnce };

/// Names of host metrics: the semantic conventions', or those of the Collector's receiver.
enum class HostNames : uint8_t { kSemconv144, kCollector };

/// A set of signals, one bit each (1 << Index(signal)).
using SignalSet = uint8_t;
inline constexpr SignalSet kAllSignals = 7;

/// Host metric groups, one bit each, in the order of spec.md.
enum class HostGroup : uint8_t {
  kCpu,
  kLoad,
  kMemory,
  kPaging,
  kDisk,
  kFilesystem,
  kNetwork,
  kConnections,
  kProcesses,
  kSystem,
  kPressure,
  kThermal,
  kHwmon,
  kPower,
  kFlash,
  kClock,
  // Not named in `metrics`: they are on when their own key says what.
  kProcess,
  kTextfile,
};
inline constexpr size_t kHostGroupCount = 18;
constexpr uint32_t Bit(HostGroup group) { return 1u << static_cast<uint32_t>(group); }

/// A list of texts split at commas, kept as one text ("a, b"): iterate with ListIterator (list.h).
using TextList = std::string_view;

struct KeyValue {
  std::string_view key;
  std::string_view value;
};

struct DestinationConfig {
  std::string_view name;  ///< What follows the dot in [destination.NAME].
  std::string_view url;   ///< As configured; may be empty when every signal has its own.
  std::array<std::string_view, kSignalCount> signal_url;  ///< Effective: url + path, or *_url.
  std::string_view shown_url;  ///< `url`, or else the first signal's, without user, password and query.
  uint32_t priority = 1;
  SignalSet signals = kAllSignals;
  Duration timeout;
  bool gzip = true;
  Guarantee guarantee = Guarantee::kAtLeastOnce;
  std::array<KeyValue, 16> headers;  ///< header.NAME
  size_t header_count = 0;
  std::array<KeyValue, 8> header_files;     ///< header.NAME_file
  size_t header_file_count = 0;
  std::string_view bearer_token_file;
  std::string_view tls_ca, tls_cert, tls_key;  ///< Files; the last two both or neither.
  std::string_view tls_server_name;  ///< Empty: the URL's host.
  std::string_view tls_pin;          ///< "sha256//…;sha256//…"; empty: any key.
  bool tls_insecure = false;
  std::string_view proxy, proxy_file;  ///< One at most.
  uint32_t max_bytes_per_second = 0;   ///< 0 = as fast as it goes.
  Duration breaker_open, breaker_open_max, breaker_failback;  ///< [breaker] unless set here.
  uint32_t breaker_failures = 0;            ///< Likewise.
};

/// [receive.otlp].
struct ReceiveConfig {
  bool present = false;
  std::string_view listen;  ///< "127.0.0.1:4318" or "unix:/path".
  uint32_t max_body_bytes = 0;  ///< Of a request, before and after decompression.
  uint32_t max_connections = 0;
  Duration idle_timeout;
  bool merge = false;  ///< Add the host's resource attributes where missing.
  std::string_view tls_cert, tls_key;  ///< Files; both or neither, and none with unix:.
  std::string_view tls_client_ca;      ///< File; only with those two. Empty: clients need no certificate.
  std::string_view bearer_token_file;
  bool insecure = false;  ///< A listener that others can reach is wanted without either.
};

enum class LogType : uint8_t { kFile, kJournald, kSyslog, kKmsg };
/// A set of types, one bit each.
using LogTypeSet = uint8_t;
constexpr LogTypeSet Bit(LogType type) { return static_cast<LogTypeSet>(1u << static_cast<uint32_t>(type)); }
inline constexpr int kLogTypeCount = 4;
inline constexpr LogTypeSet kAllLogTypes = (1 << kLogTypeCount) - 1;
enum class LineFormat : uint8_t { kPlain, kJson, kLogfmt, kSyslog, kCri, kDocker };
/// severity_min; its values are the names of OTLP's severities.
enum class SeverityMin : uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kFatal, kNone };

/// [log.NAME].
struct LogConfig {
  std::string_view name;  ///< What follows the dot.
  LogType type = LogType::kFile;
  TextList path, exclude;  ///< Globs.
  bool from_beginning = false;
  Duration discover;
  LineFormat format = LineFormat::kPlain;
  std::string_view time_key, time_format, level_key, message_key;
  std::string_view multiline;  ///< "none", "indent", or a pattern.
  bool multiline_pattern() const { return !multiline.empty() && multiline != "none" && multiline != "indent"; }
  Duration flush;
  uint32_t max_line_bytes = 0;
  std::string_view include_records, exclude_records, redact;  ///< Patterns; empty: none.
  SeverityMin severity_min = SeverityMin::kNone;
  uint32_t rate_limit = 0;  ///< Records a second, 0 = none.
  std::array<KeyValue, 8> attributes;
  size_t attribute_count = 0;
  std::array<KeyValue, 8> resource;
  size_t resource_count = 0;
  std::string_view listen;  ///< "127.0.0.1:5514" or "unix:/path".
  bool insecure = false;
  TextList units, directory;
  uint8_t priority = 7;     ///< Of syslog: this and more severe (0 to 7).
};

/// Views point into the text arena of the loader; valid as long as that.
struct Config {
  struct {
    std::string_view state_dir, run_dir;
    TextList include;  ///< Empty once loaded: the files are part of this then.
    uint64_t memory_bytes = 0;
    bool record_uid = true;
    Level log_level = Level::kInfo;
    LogFormat log_format = LogFormat::kText;
    Duration shutdown_timeout;
  } agent;

  std::array<KeyValue, 32> resource;
  size_t resource_count = 0;

  struct {
    bool present = false;
    Duration interval;
    uint32_t groups = 0;  ///< Bit(HostGroup) or'ed.
    HostNames names = HostNames::kSemconv144;
    std::string_view root;
    TextList exclude_devices, exclude_interfaces, exclude_filesystems;
    TextList process;           ///< Patterns of names; empty = none.
    std::string_view textfile;  ///< A pattern of paths; empty = none.
    Duration textfile_max_age;
  } host;

  std::array<LogConfig, kLogSourcesMax> logs;
  size_t log_count = 0;

  ReceiveConfig receive;

  struct {
    uint32_t batch_items = 0;
    uint32_t batch_bytes = 0;
    Duration batch_delay;
    Duration max_age;  ///< 0 = never too old.
    Order order = Order::kStrict;  ///< What a signal has unless it says otherwise:
    std::array<Order, kSignalCount> order_of = {Order::kUnset, Order::kUnset, Order::kUnset};
    uint32_t drain_share_percent = 0;  ///< live_first: the backlog's part of the requests.
  } queue;

  struct {
    Durability durability = Durability::kOnDemand;
    uint64_t max_bytes = 0;       ///< Of all its files, dead letters included.
    uint64_t min_free_bytes = 0;  ///< 0 = none.
    Overflow overflow = Overflow::kDropOldest;
    std::array<uint32_t, kSignalCount> share_percent{};  ///< Of max_bytes; together 100 at most.
    Duration commit_interval;
    Sync sync = Sync::kFull;
    uint64_t dead_max_bytes = 0;  ///< Less than max_bytes.
  } spool;

  std::array<DestinationConfig, kDestinationsMax> destinations;
  size_t destination_count = 0;

  struct {
    uint32_t failures = 0;
    Duration open, open_max, failback;
  } breaker;  ///< What a destination has unless it says otherwise.

  struct {
    Duration initial, max;
    double multiplier = 2, jitter = 0.5;
    Duration max_elapsed;  ///< 0 = for ever.
  } retry;

  struct {
    Duration step;
    UnixTime unset_before;
  } clock;

  struct {
    std::string_view listen;  ///< "127.0.0.1:13133"; empty = off.
    bool insecure = false;    ///< A listener that others can reach is wanted.
  } health;

  struct {
    Duration interval;  ///< 0 = off.
  } self;
};

}  // namespace limpet
