// Levels of logs as OTLP's severities.
#pragma once

#include <string_view>

#include "batch/log_encoder.h"

namespace limpet {

/// By its name in any case ("warn", "WARNING", "W"), or by its number: 0 to 7 are those of syslog, 10 to
/// 69 those of bunyan and pino (30 is info). kUnspecified: it is none of these.
Severity SeverityOf(std::string_view level);

/// By the severity of syslog, which is also the level of the kernel and the journal's PRIORITY; above 7:
/// kUnspecified.
Severity SeverityOfSyslog(unsigned severity);

/// Its name in syslog: "err".
std::string_view NameOfSyslog(unsigned severity);

}  // namespace limpet
