#include "config/checks.h"

#include <algorithm>

#include "base/text.h"
#include "config/endpoint.h"
#include "config/value.h"
#include "limpet/limits.h"

namespace limpet {
namespace {

void CheckQueue(const Config& config, Problems& problems) {
  if (!problems.Sound("queue") || !problems.Sound("agent")) return;
  if (config.queue.batch_bytes <= config.agent.memory_bytes / kBatchesInMemory) return;
  TextBuffer<128> text;
  text << "more than a sixteenth of agent.memory: lower it, or raise memory to at least ";
  FormatValue(text, Kind::kSize, "",
              Value{.integer = static_cast<int64_t>(config.queue.batch_bytes * kBatchesInMemory)});
  problems.Report("queue", "batch_bytes", text.text());
}

/// A spool with room for less cannot work: a few batches, and what tables, journal and a running
/// commit take besides.
constexpr uint64_t kBatchesInSpool = 4;
constexpr uint64_t kSpoolOwnBytes = 512 * kKiB;

void CheckSpool(const Config& config, Problems& problems) {
  if (!problems.Sound("spool")) return;
  const auto& spool = config.spool;
  TextBuffer<160> text;
  const auto size = [&text](uint64_t bytes) {
    FormatValue(text, Kind::kSize, "", Value{.integer = static_cast<int64_t>(bytes)});
  };
  uint32_t percent = 0;
  for (const uint32_t share : spool.share_percent) percent += share;
  if (percent > 100) {
    text << "share.metrics, share.logs and share.traces make " << percent
         << "% together, more than there is: lower one";
    problems.Report("spool", "", text.text());
  }
  if (spool.dead_max_bytes >= spool.max_bytes) {
    text.Clear();
    text << "dead letters are a part of max_size (now ";
    size(spool.max_bytes);
    text << "): lower it below that, or raise max_size";
    problems.Report("spool", "dead_max_size", text.text());
  }
  const uint64_t least = kBatchesInSpool * config.queue.batch_bytes + kSpoolOwnBytes;
  if (spool.durability == Durability::kMemoryOnly || !problems.Sound("queue")) return;
  if (spool.max_bytes >= least) return;
  text.Clear();
  text << "too little for four batches: raise it to at least ";
  size(least);
  text << ", or lower queue.batch_bytes (now ";
  size(config.queue.batch_bytes);
  text << ')';
  problems.Report("spool", "max_size", text.text());
}

/// The attributes stand in front of every batch: more of them than points is a mistake.
void CheckResource(const Config& config, Problems& problems) {
  if (!problems.Sound("queue") || !problems.Sound("resource")) return;
  const size_t bytes = AttributeBytes(std::span(config.resource).first(config.resource_count));
  const size_t most = AttributeBytesMost(config);
  if (bytes <= most) return;
  TextBuffer<128> text;
  text << "together " << bytes << " bytes, and at most " << most
       << " may stand in front of each batch (half of queue.batch_bytes, " << kResourceBytesMax
       << " in all)";
  problems.Report("resource", "", text.text());
}

void CheckPauses(const Config& config, Problems& problems) {
  if (problems.Sound("retry") && config.retry.initial > config.retry.max) {
    problems.Report("retry", "initial", "longer than retry.max");
  }
  if (problems.Sound("breaker") && config.breaker.open > config.breaker.open_max) {
    problems.Report("breaker", "open", "longer than breaker.open_max");
  }
}

/// The longest name in state_dir: SQLite refuses a path that leaves no room for its journal.
static_assert(kConfigPathMax + std::string_view("/spool.db-journal").size() < kPathMax);

constexpr std::string_view kControlSocket = "/limpet.sock";

/// The control socket lies in run_dir, else in state_dir, and the kernel bounds its path.
void CheckDirectories(const Config& config, Problems& problems) {
  if (problems.Sound("agent") && config.agent.run_dir.size() + kControlSocket.size() > kUnixPathMax) {
    problems.Report("agent", "run_dir", "too long for the control socket: at most 95 bytes");
  }
}

void CheckHealth(const Config& config, Problems& problems) {
  if (!problems.Sound("health") || config.health.listen.empty() || config.health.insecure) return;
  CheckReach("health", config.health.listen, "", problems);
}

void CheckCertificate(std::string_view section, std::string_view certificate, std::string_view key,
                      Problems& problems) {
  if (certificate.empty() == key.empty()) return;
  const bool alone = certificate.empty();
  problems.Report(section, alone ? "tls_key" : "tls_cert",
                  alone ? "needs tls_cert, the certificate, beside it" : "needs tls_key, its key, beside it");
}

/// Is this the control socket, wherever that comes to lie?
bool IsControlSocket(const Config& config, std::string_view listen) {
  if (!IsUnixListener(listen) || !listen.ends_with(kControlSocket)) return false;
  listen.remove_prefix(kUnixPrefix.size());
  listen.remove_suffix(kControlSocket.size());
  return listen == config.agent.run_dir || listen == config.agent.state_dir;
}

void CheckReceive(const Config& config, Problems& problems) {
  constexpr std::string_view kSection = "receive.otlp";
  const ReceiveConfig& receive = config.receive;
  if (!receive.present || !problems.Sound(kSection)) return;
  if (!receive.insecure && receive.tls_client_ca.empty() && receive.bearer_token_file.empty()) {
    CheckReach(kSection, receive.listen, "set tls_client_ca or bearer_token_file, ", problems);
  }
  CheckCertificate(kSection, receive.tls_cert, receive.tls_key, problems);
  if (!receive.tls_client_ca.empty() && receive.tls_cert.empty() && receive.tls_key.empty()) {
    problems.Report(kSection, "tls_client_ca",
                    "needs tls_cert and tls_key beside it: clients show theirs in TLS");
  }
  if (IsUnixListener(receive.listen)) {
    for (const auto& [key, file] : {KeyValue{"tls_cert", receive.tls_cert},
                                    KeyValue{"tls_key", receive.tls_key},
                                    KeyValue{"tls_client_ca", receive.tls_client_ca}}) {
      if (!file.empty()) problems.Report(kSection, key, "not with unix: in listen, which no network reaches");
    }
  }
  CheckTaken(config, kSection, receive.listen, problems);
}

/// Each header comes from one place: the later one is at fault.
void CheckHeaders(const DestinationConfig& destination, std::string_view section, Problems& problems) {
  const auto headers = std::span(destination.headers).first(destination.header_count);
  const auto files = std::span(destination.header_files).first(destination.header_file_count);
  const auto among = [](std::span<const KeyValue> pairs, std::string_view name) {
    return std::any_of(pairs.begin(), pairs.end(),
                       [name](const KeyValue& p) { return EqualsIgnoringCase(p.key, name); });
  };
  const auto twice = [&](const KeyValue& header, const char* suffix) {
    TextBuffer<128> key;
    key << "header." << header.key << suffix;
    problems.Report(section, key.text(), "the same header twice");
  };
  for (size_t i = 0; i < headers.size(); ++i) {
    if (among(headers.first(i), headers[i].key)) twice(headers[i], "");
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (among(headers, files[i].key) || among(files.first(i), files[i].key)) twice(files[i], "_file");
  }
  constexpr std::string_view kToken = "Authorization";
  if (!destination.bearer_token_file.empty() && (among(headers, kToken) || among(files, kToken))) {
    problems.Report(section, "bearer_token_file", "the header Authorization is set as well: one of the two");
  }
}

void CheckDestination(const DestinationConfig& destination, const Config& config,
                      Problems& problems) {
  TextBuffer<48> section;
  section << "destination." << destination.name;
  if (!problems.Sound(section.text())) return;
  if (destination.signals == 0) {
    problems.Report(section.text(), "url", "missing: where to send to, e.g. https://host:4318");
  }
  if (problems.Sound("breaker") && config.breaker.open <= config.breaker.open_max &&
      destination.breaker_open > destination.breaker_open_max) {
    // The one that is said here, and what it does not go with.
    const bool own = destination.breaker_open_max != config.breaker.open_max;
    TextBuffer<64> text;
    text << (own ? "shorter than open (" : "longer than open_max (");
    FormatValue(text, Kind::kDuration, "",
                Value{.integer = (own ? destination.breaker_open : destination.breaker_open_max).ns});
    text << ')';
    problems.Report(section.text(), own ? "open_max" : "open", text.text());
  }
  CheckHeaders(destination, section.text(), problems);
  CheckCertificate(section.text(), destination.tls_cert, destination.tls_key, problems);
  if (!destination.proxy.empty() && !destination.proxy_file.empty()) {
    problems.Report(section.text(), "proxy_file", "proxy is set as well: one of the two");
  }
}

/// What this host produces must be taken by somebody.
void CheckTakers(const Config& config, Problems& problems) {
  if (config.destination_count == 0) {
    problems.Report("", "", "no destination: add [destination.primary] with a url");
    return;
  }
  SignalSet taken = 0;
  for (size_t i = 0; i < config.destination_count; ++i) {
    const DestinationConfig& destination = config.destinations[i];
    TextBuffer<48> section;
    section << "destination." << destination.name;
    if (!problems.Sound(section.text()) || destination.signals == 0) return;
    taken |= destination.signals;
  }
  for (size_t i = 0; i < config.log_count && (taken >> Index(Signal::kLogs) & 1) == 0; ++i) {
    TextBuffer<48> section;
    section << "log." << config.logs[i].name;
    problems.Report(section.text(), "", "makes logs, but no destination takes them (its signals)");
  }
  if (config.host.present && (taken >> Index(Signal::kMetrics) & 1) == 0) {
    problems.Report("host", "", "makes metrics, but no destination takes them (its signals)");
  }
}

}  // namespace

size_t AttributeBytes(std::span<const KeyValue> attributes) {
  constexpr size_t kFraming = 12;  // Tags and lengths around a key and its value.
  size_t bytes = 0;
  for (const KeyValue& attribute : attributes) {
    bytes += attribute.key.size() + attribute.value.size() + kFraming;
  }
  return bytes;
}

size_t AttributeBytesMost(const Config& config) {
  return std::min<size_t>(kResourceBytesMax, config.queue.batch_bytes / 2);
}

void CheckReach(std::string_view section, std::string_view listen, std::string_view remedy,
                Problems& problems) {
  const std::optional<Address> address = SplitAddress(listen);
  if (IsUnixListener(listen) || (address && IsLoopback(*address))) return;
  TextBuffer<256> text;
  text << "others can reach this address: listen at 127.0.0.1 or [::1], " << remedy
       << "or set insecure = true here to allow it";
  problems.Report(section, "listen", text.text());
}

void CheckTaken(const Config& config, std::string_view section, std::string_view listen,
                Problems& problems) {
  const auto same = [&](std::string_view other, std::string_view where) {
    if (other != listen || listen.ends_with(":0") || section == where) return;
    TextBuffer<96> text;
    text << where << ".listen is the same address: choose another "
         << (IsUnixListener(listen) ? "name" : "port");
    problems.Report(section, "listen", text.text());
  };
  if (problems.Sound("health")) same(config.health.listen, "health");
  if (config.receive.present && problems.Sound("receive.otlp")) same(config.receive.listen, "receive.otlp");
  for (const LogConfig& log : std::span(config.logs).first(config.log_count)) {
    TextBuffer<48> other;
    other << "log." << log.name;
    if (other.text() == section) break;  // Of two sources the later one is at fault.
    if (section.starts_with("log.")) same(log.listen, other.text());
  }
  if (problems.Sound("agent") && IsControlSocket(config, listen)) {
    problems.Report(section, "listen", "this is the control socket: choose another name");
  }
}

const char* HeaderNameFault(std::string_view name) {
  if (name.empty()) return "the header's name is missing";
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9')) continue;
    if (std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) {
      return "not the name of an HTTP header";
    }
  }
  if (name.size() > 64) return "the header's name is longer than 64 bytes";
  for (const char* const own :
       {"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect",
        "Idempotency-Key", "TE", "Transfer-Encoding", "Upgrade"}) {
    if (EqualsIgnoringCase(name, own)) return "limpet sets this header itself";
  }
  return nullptr;
}

void CheckTogether(const Config& config, PatternCheck* patterns, Problems& problems) {
  CheckDirectories(config, problems);
  CheckQueue(config, problems);
  CheckSpool(config, problems);
  CheckResource(config, problems);
  for (size_t i = 0; i < config.destination_count; ++i) {
    CheckDestination(config.destinations[i], config, problems);
  }
  CheckPauses(config, problems);
  CheckHealth(config, problems);
  CheckReceive(config, problems);
  CheckLogs(config, patterns, problems);
  CheckTakers(config, problems);
}

}  // namespace limpet
