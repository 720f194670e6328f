// Dates and delays in HTTP headers.
#pragma once

#include <optional>
#include <string_view>

#include "limpet/time.h"

namespace limpet {

/// Parses an IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT"), the form RFC 9110 section 5.6.7 lets
/// senders use. Nothing when malformed, obsolete or before 1970.
std::optional<UnixTime> ParseHttpDate(std::string_view text);

/// The pause that a Retry-After header asks for: seconds, or an HTTP date. A date is measured
/// against the answer's own Date header where there is one, so that our wrong clock does not count.
/// Negative pauses are 0, long ones are cut at `max`. Nothing when malformed.
std::optional<Duration> ParseRetryAfter(std::string_view retry_after, std::string_view date,
                                        UnixTime now, Duration max);

}  // namespace limpet
