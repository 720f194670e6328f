// Times as logs write them: the usual forms by themselves, all others by a format of strptime(3).
#pragma once

#include <string_view>

#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

/// May `format` be given to ParseTime?
/// kUnsupported: a conversion that is not known; detail is its offset. kInvalid: it has none at all.
Status CheckTimeFormat(std::string_view format);

/// Reads a time that is the whole of `text`, but for blanks around it. Nothing here knows a locale or
/// time zones: months are English in any case, a time without an offset is UTC.
///
/// format "auto" takes
/// - RFC 3339 (thus RFC 5424), "T" or a blank between date and time, up to 9 decimals after "." or ","
///   (more are cut), then "Z", "UTC", "GMT", an offset (+01:00, +0100, +01), or nothing;
/// - the time since 1970 in s, ms, us or ns, which is told by its size (11, 14, 17, 19 digits at most),
///   with a fraction or an exponent, too;
/// - RFC 3164, "Nov  2 03:04:05", with decimals and with a year after the day, too.
///
/// Else a format of %Y %y %m %d %e %j, %b %B %h, %a %A (not looked at), %H %I %p %M %S, %f %L (1 to 9
/// decimals), %s, %z %Z (UTC and GMT only), %T %R %D %F, %n %t %%; a blank stands for any number of
/// them. Later parts of a text that say the same as earlier ones win.
///
/// now: a missing year is the latest with which the time is at most a day ahead of it; a missing date
/// the one that brings it closest.
/// kInvalid: it is not such a time, or lies before 1970 or after 2262.
Result<UnixTime> ParseTime(std::string_view format, std::string_view text, UnixTime now);

}  // namespace limpet
