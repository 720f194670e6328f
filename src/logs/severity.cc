#include "logs/severity.h"

#include <array>
#include <optional>

#include "base/text.h"

namespace limpet {
namespace {

struct LevelName {
  std::string_view name;  // Lower case.
  Severity severity;
};

// The usual ones first. Names that syslog has, too, are what they are there.
constexpr LevelName kLevels[] = {
    {"info", Severity::kInfo},       {"error", Severity::kError},       {"warn", Severity::kWarn},
    {"debug", Severity::kDebug},     {"warning", Severity::kWarn},      {"trace", Severity::kTrace},
    {"fatal", Severity::kFatal},     {"notice", Severity::kInfo2},      {"err", Severity::kError},
    {"crit", Severity::kError2},     {"critical", Severity::kError2},   {"alert", Severity::kError3},
    {"emerg", Severity::kFatal},     {"emergency", Severity::kFatal},   {"panic", Severity::kFatal},
    {"dbg", Severity::kDebug},       {"inf", Severity::kInfo},          {"information", Severity::kInfo},
    {"informational", Severity::kInfo}, {"wrn", Severity::kWarn},       {"eror", Severity::kError},
    {"severe", Severity::kError},    {"dpanic", Severity::kError2},     {"ftl", Severity::kFatal},
    {"verbose", Severity::kTrace},   {"i", Severity::kInfo},            {"e", Severity::kError},
    {"w", Severity::kWarn},          {"d", Severity::kDebug},           {"t", Severity::kTrace},
    {"f", Severity::kFatal},
};

constexpr std::array<LevelName, 8> kSyslog = {{
    {"emerg", Severity::kFatal},
    {"alert", Severity::kError3},
    {"crit", Severity::kError2},
    {"err", Severity::kError},
    {"warning", Severity::kWarn},
    {"notice", Severity::kInfo2},
    {"info", Severity::kInfo},
    {"debug", Severity::kDebug},
}};

constexpr std::array<Severity, 6> kTens = {Severity::kTrace, Severity::kDebug, Severity::kInfo,
                                           Severity::kWarn,  Severity::kError, Severity::kFatal};

}  // namespace

Severity SeverityOf(std::string_view level) {
  if (level.empty()) return Severity::kUnspecified;
  for (const LevelName& known : kLevels) {
    if (known.name.size() == level.size() && known.name[0] == (level[0] | 0x20) &&
        EqualsIgnoringCase(known.name, level)) {
      return known.severity;
    }
  }
  const std::optional<unsigned> number = ParseNumber<unsigned>(level);
  if (!number || *number >= 10 * (kTens.size() + 1)) return Severity::kUnspecified;
  return *number < 10 ? SeverityOfSyslog(*number) : kTens[*number / 10 - 1];
}

Severity SeverityOfSyslog(unsigned severity) {
  return severity < kSyslog.size() ? kSyslog[severity].severity : Severity::kUnspecified;
}

std::string_view NameOfSyslog(unsigned severity) {
  return severity < kSyslog.size() ? kSyslog[severity].name : std::string_view();
}

}  // namespace limpet
