// What must fit each other in [log.NAME], and what else is said there.
#include <algorithm>

#include "base/text.h"
#include "base/time_format.h"
#include "config/checks.h"
#include "config/list.h"
#include "config/table.h"
#include "config/value.h"

namespace limpet {
namespace {

/// A set of formats, one bit each.
constexpr uint32_t Bit(LineFormat format) { return 1u << static_cast<uint32_t>(format); }
constexpr uint32_t kWithKeys = Bit(LineFormat::kJson) | Bit(LineFormat::kLogfmt);

/// Keys that say nothing of lines of another format: no mistake as long as they have their default.
struct FormatKey {
  const char* key;
  std::string_view LogConfig::* value;
  uint32_t formats;
  const char* text;
};
constexpr FormatKey kFormatKeys[] = {
    {"time_key", &LogConfig::time_key, kWithKeys, "only with format = json or logfmt"},
    {"level_key", &LogConfig::level_key, kWithKeys, "only with format = json or logfmt"},
    {"message_key", &LogConfig::message_key, kWithKeys, "only with format = json or logfmt"},
    {"time_format", &LogConfig::time_format, kWithKeys, "only with format = json or logfmt"},
};

void CheckFormat(const LogConfig& log, std::string_view section, Problems& problems) {
  // A message of syslog has its own form; its text may have one, too.
  if (log.type == LogType::kSyslog && (Bit(log.format) & (kWithKeys | Bit(LineFormat::kPlain))) == 0) {
    problems.Report(section, "format", "with type = syslog only plain, json or logfmt, of the text of a message");
  }
  LogConfig fresh;
  SetDefaults(fresh);
  for (const FormatKey& row : kFormatKeys) {
    if (log.*row.value == fresh.*row.value || (row.formats & Bit(log.format)) != 0) continue;
    problems.Report(section, row.key, row.text);
  }
}

void CheckTime(const LogConfig& log, std::string_view section, Problems& problems) {
  const Status status = log.time_format == "auto" ? Status{} : CheckTimeFormat(log.time_format);
  if (status.ok()) return;
  TextBuffer<96> text;
  text << "expected auto, or a strptime format";
  if (status.code == Code::kUnsupported) text << ": the conversion at character " << status.detail + 1 << " is not known";
  problems.Report(section, "time_format", text.text());
}

void CheckPaths(const LogConfig& log, std::string_view section, Problems& problems) {
  if (log.path.empty()) {
    problems.Report(section, "path", "missing: which files to read, e.g. /var/log/app/*.log");
    return;
  }
  ListIterator paths(log.path);
  for (std::string_view path; paths.Next(path);) {
    if (path.starts_with('/') && path.size() <= kConfigPathMax) continue;
    problems.Report(section, "path", "expected absolute paths of at most 256 bytes, e.g. /var/log/app/*.log");
    return;
  }
}

void CheckListener(const Config& config, const LogConfig& log, std::string_view section,
                   Problems& problems) {
  if (log.listen.empty()) {
    problems.Report(section, "listen", "missing: where to listen, e.g. 127.0.0.1:5514 or unix:/dev/log");
    return;
  }
  if (!log.insecure) CheckReach(section, log.listen, "", problems);
  CheckTaken(config, section, log.listen, problems);
}

/// A record must fit a batch, whose other half may be taken by attributes.
void CheckLength(const Config& config, const LogConfig& log, std::string_view section,
                 Problems& problems) {
  const uint64_t batch = config.queue.batch_bytes, least = 2 * uint64_t{log.max_line_bytes};
  if (!problems.Sound("queue") || least <= batch) return;
  TextBuffer<192> text;
  const auto size = [&text](uint64_t bytes) {
    FormatValue(text, Kind::kSize, "", Value{.integer = static_cast<int64_t>(bytes)});
  };
  text << "more than half of queue.batch_bytes (now ";
  size(batch);
  text << "): lower it, or raise batch_bytes to at least ";
  size(least);
  const uint64_t memory = kBatchesInMemory * least;
  if (memory > config.agent.memory_bytes) {
    text << " and agent.memory to at least ";
    size(memory);
  }
  problems.Report(section, "max_line", text.text());
}

void CheckAttributes(const Config& config, const LogConfig& log, std::string_view section,
                     Problems& problems) {
  if (!problems.Sound("queue") || !problems.Sound("resource")) return;
  const size_t own = AttributeBytes(std::span(log.attributes).first(log.attribute_count)) +
                     AttributeBytes(std::span(log.resource).first(log.resource_count));
  const size_t common = AttributeBytes(std::span(config.resource).first(config.resource_count));
  const size_t most = AttributeBytesMost(config);
  if (own == 0 || common > most || own + common <= most) return;
  TextBuffer<160> text;
  text << "attributes: together with [resource] " << own + common << " bytes, and at most " << most
       << " may be set (half of queue.batch_bytes, " << kResourceBytesMax << " in all)";
  problems.Report(section, "", text.text());
}

void CheckPatterns(const LogConfig& log, std::string_view section, PatternCheck& patterns, Problems& problems) {
  const bool several = log.type == LogType::kFile && log.multiline_pattern();
  for (const auto& [key, pattern] : {KeyValue{"multiline", several ? log.multiline : ""},
                                     KeyValue{"include_records", log.include_records},
                                     KeyValue{"exclude_records", log.exclude_records},
                                     KeyValue{"redact", log.redact}}) {
    TextBuffer<256> problem;
    if (!pattern.empty() && !patterns.Check(pattern, problem)) problems.Report(section, key, problem.text());
  }
}

}  // namespace

void CheckLogs(const Config& config, PatternCheck* patterns, Problems& problems) {
  for (const LogConfig& log : std::span(config.logs).first(config.log_count)) {
    TextBuffer<48> section;
    section << "log." << log.name;
    if (!problems.Sound(section.text())) continue;
    if (log.type == LogType::kFile) CheckPaths(log, section.text(), problems);
    if (log.type == LogType::kFile || log.type == LogType::kSyslog) {
      CheckFormat(log, section.text(), problems);
      CheckTime(log, section.text(), problems);
    }
    if (log.type == LogType::kSyslog) CheckListener(config, log, section.text(), problems);
    if (patterns != nullptr) CheckPatterns(log, section.text(), *patterns, problems);
    CheckLength(config, log, section.text(), problems);
    CheckAttributes(config, log, section.text(), problems);
  }
}

}  // namespace limpet
