#include "deliver/http_date.h"

#include <algorithm>
#include <array>

#include "base/calendar.h"
#include "base/text.h"

namespace limpet {
std::optional<UnixTime> ParseHttpDate(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // "Sun, 06 Nov 1994 08:49:37 GMT": every part has its fixed place.
  if (text.size() != 29 || text.substr(25) != " GMT") return std::nullopt;
  if (text[3] != ',' || text[4] != ' ' || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto day = ParseNumber<uint8_t>(text.substr(5, 2));
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto year = ParseNumber<uint16_t>(text.substr(12, 4));
  const auto hour = ParseNumber<uint8_t>(text.substr(17, 2));
  const auto minute = ParseNumber<uint8_t>(text.substr(20, 2));
  const auto second = ParseNumber<uint8_t>(text.substr(23, 2));
  if (!day || month == kMonths.end() || !year || !hour || !minute || !second) return std::nullopt;
  if (*day < 1 || *day > 31 || *year < 1970 || *year > 2200) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const int64_t days =
      DaysSinceEpoch(*year, static_cast<unsigned>(month - kMonths.begin()) + 1, *day);
  return UnixTime{} + Seconds(((days * 24 + *hour) * 60 + *minute) * 60 + *second);
}

std::optional<Duration> ParseRetryAfter(std::string_view retry_after, std::string_view date,
                                        UnixTime now, Duration max) {
  retry_after = Trim(retry_after);
  if (retry_after.empty()) return std::nullopt;
  if (retry_after.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto seconds = ParseNumber<uint32_t>(retry_after);
    return seconds ? std::min(Seconds(*seconds), max) : max;
  }
  const std::optional<UnixTime> until = ParseHttpDate(retry_after);
  if (!until) return std::nullopt;
  const UnixTime reference = ParseHttpDate(Trim(date)).value_or(now);
  return std::clamp(*until - reference, Duration{}, max);
}

}  // namespace limpet
