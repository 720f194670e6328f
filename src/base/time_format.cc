#include "base/time_format.h"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/calendar.h"
#include "base/text.h"

namespace limpet {
namespace {

constexpr int64_t kDaySeconds = 86400;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kSecondsMax = std::numeric_limits<int64_t>::max() / kSecondNs - 1;  // In the year 2262.

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

constexpr Status kNoTime{Code::kInvalid, 0, "time"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/// What a text has said of a time so far. What is 0 where it cannot be was not said.
struct Parts {
  std::optional<unsigned> year;
  unsigned month = 0, day = 0;
  unsigned day_of_year = 0;
  unsigned hour = 0, minute = 0, second = 0;
  bool twelve_hours = false, afternoon = false;
  uint32_t nanosecond = 0;
  int offset = 0;                ///< Seconds that its clock is ahead of UTC.
  std::optional<uint64_t> unix;  ///< Seconds: all of the above but the nanoseconds.
};

/// Takes a text apart from its front. What takes nothing says false.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool done() const { return at_ == end_; }
  char Peek() const { return at_ < end_ ? *at_ : '\0'; }
  std::string_view rest() const { return {at_, static_cast<size_t>(end_ - at_)}; }

  bool Take(char c) {
    if (Peek() != c || done()) return false;
    ++at_;
    return true;
  }
  bool TakeAnyOf(std::string_view characters) {
    if (done() || characters.find(*at_) == std::string_view::npos) return false;
    ++at_;
    return true;
  }
  void Skip(size_t count) { at_ += count; }
  void SkipBlanks() {
    while (at_ < end_ && IsBlank(*at_)) ++at_;
  }
  /// In any case.
  bool TakeWord(std::string_view word) {
    if (!EqualsIgnoringCase(rest().substr(0, word.size()), word)) return false;
    at_ += word.size();
    return true;
  }
  /// One of the names or the first three letters of one.
  template <size_t N>
  bool TakeName(const std::array<std::string_view, N>& names, unsigned& index) {
    for (unsigned i = 0; i < N; ++i) {
      if ((Peek() | 0x20) != (names[i][0] | 0x20) || !TakeWord(names[i].substr(0, 3))) continue;
      TakeWord(names[i].substr(3));
      index = i;
      return true;
    }
    return false;
  }
  template <typename Integer>
  bool TakeNumber(int digits_min, int digits_max, Integer& value) {
    Integer number = 0;
    int digits = 0;
    for (; digits < digits_max && at_ < end_ && IsDigit(*at_); ++digits, ++at_) {
      number = number * 10 + static_cast<Integer>(*at_ - '0');
    }
    value = number;
    return digits >= digits_min;
  }
  /// Decimals of a second: what is behind the ninth is no nanosecond any more.
  bool TakeDecimals(uint32_t& nanosecond) {
    if (!IsDigit(Peek())) return false;
    nanosecond = 0;
    for (uint32_t unit = 100'000'000; IsDigit(Peek()); unit /= 10, ++at_) {
      nanosecond += unit * static_cast<uint32_t>(*at_ - '0');
    }
    return true;
  }
  /// Z, +01:00, +0100, +01.
  bool TakeOffset(int& seconds) {
    seconds = 0;
    if (TakeAnyOf("Zz")) return true;
    const bool west = Peek() == '-';
    int hours = 0, minutes = 0;
    if (!TakeAnyOf("+-") || !TakeNumber(2, 2, hours)) return false;
    if ((Take(':') || IsDigit(Peek())) && !TakeNumber(2, 2, minutes)) return false;
    if (hours > 23 || minutes > 59) return false;
    seconds = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
  }

 private:
  const char* at_;
  const char* const end_;
};

bool IsLeap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/// The date of the parts in that year, as days since 1970; nothing when it has no such day.
std::optional<int64_t> DaysOf(const Parts& parts, int64_t year) {
  if (parts.day_of_year != 0) {
    if (parts.day_of_year > (IsLeap(year) ? 366u : 365u)) return std::nullopt;
    return DaysSinceEpoch(year, 1, 1) + parts.day_of_year - 1;
  }
  constexpr std::array<uint8_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const unsigned month = parts.month == 0 ? 1 : parts.month, day = parts.day == 0 ? 1 : parts.day;
  if (month > kDays.size()) return std::nullopt;
  if (day > kDays[month - 1] + (month == 2 && IsLeap(year) ? 1u : 0u)) return std::nullopt;
  return DaysSinceEpoch(year, month, day);
}

Result<UnixTime> FromSeconds(int64_t seconds, uint32_t nanosecond) {
  if (seconds < 0 || seconds > kSecondsMax) return kNoTime;
  return UnixTime{seconds * kSecondNs + nanosecond};
}

Result<UnixTime> Compose(const Parts& parts, UnixTime now) {
  if (parts.unix) {
    if (*parts.unix > static_cast<uint64_t>(kSecondsMax)) return kNoTime;
    return FromSeconds(static_cast<int64_t>(*parts.unix), parts.nanosecond);
  }
  unsigned hour = parts.hour;
  if (parts.twelve_hours) {
    if (hour < 1 || hour > 12) return kNoTime;
    hour = hour % 12 + (parts.afternoon ? 12 : 0);
  }
  // A leap second is the first of the next minute, as the kernel's clock counts it.
  if (hour > 23 || parts.minute > 59 || parts.second > 60) return kNoTime;
  const int64_t of_day = (int64_t{hour} * 60 + parts.minute) * 60 + parts.second - parts.offset;

  if (parts.year) {
    const std::optional<int64_t> days = DaysOf(parts, *parts.year);
    return days ? FromSeconds(*days * kDaySeconds + of_day, parts.nanosecond) : kNoTime;
  }
  const int64_t now_seconds = now.ns / kSecondNs;
  if (parts.month == 0 && parts.day_of_year == 0) {
    if (parts.day != 0) return kNoTime;
    // The day is the one that brings it within half a day of now.
    const int64_t ahead = of_day - now_seconds + kDaySeconds / 2;
    const int64_t days = ahead / kDaySeconds - (ahead % kDaySeconds < 0 ? 1 : 0);
    return FromSeconds(of_day - days * kDaySeconds, parts.nanosecond);
  }
  // February 29 may be eight years back.
  const int64_t next = ToCivil(now).year + 1;
  for (int64_t year = next; year > next - 10; --year) {
    const std::optional<int64_t> days = DaysOf(parts, year);
    if (!days || *days * kDaySeconds + of_day > now_seconds + kDaySeconds) continue;
    return FromSeconds(*days * kDaySeconds + of_day, parts.nanosecond);
  }
  return kNoTime;
}

/// "03:04:05" and decimals.
bool TakeClock(Scanner& in, Parts& parts) {
  return in.TakeNumber(2, 2, parts.hour) && in.Take(':') && in.TakeNumber(2, 2, parts.minute) &&
         in.Take(':') && in.TakeNumber(2, 2, parts.second) &&
         (!in.TakeAnyOf(".,") || in.TakeDecimals(parts.nanosecond));
}

/// The number of two digits; more than any part of a time when they are none.
unsigned TwoDigits(std::string_view text, size_t at) {
  const auto tens = static_cast<unsigned>(text[at] - '0'), ones = static_cast<unsigned>(text[at + 1] - '0');
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

// Most lines have one of these: every part has its fixed place.
bool TakeRfc3339(Scanner& in, Parts& parts) {
  constexpr std::string_view kForm = "2024-01-02T03:04:05";
  const std::string_view text = in.rest();
  if (text.size() < kForm.size()) return false;
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return false;
  if ((text[10] | 0x20) != 't' && text[10] != ' ') return false;
  const unsigned century = TwoDigits(text, 0), year = TwoDigits(text, 2);
  parts.year = century * 100 + year;
  parts.month = TwoDigits(text, 5);
  parts.day = TwoDigits(text, 8);
  parts.hour = TwoDigits(text, 11);
  parts.minute = TwoDigits(text, 14);
  parts.second = TwoDigits(text, 17);
  if (century > 99 || year > 99 || parts.month == 0 || parts.day == 0) return false;
  in.Skip(kForm.size());
  if (in.TakeAnyOf(".,") && !in.TakeDecimals(parts.nanosecond)) return false;
  if (in.done()) return true;
  in.SkipBlanks();
  return in.TakeOffset(parts.offset) || in.TakeWord("UTC") || in.TakeWord("GMT");
}

/// RFC 3164's, "Nov  2 03:04:05" or "Nov  2 2024 03:04:05".
bool TakeBsd(Scanner& in, Parts& parts) {
  if (!in.TakeName(kMonths, parts.month) || !IsBlank(in.Peek())) return false;
  ++parts.month;
  in.SkipBlanks();
  if (!in.TakeNumber(1, 2, parts.day) || parts.day == 0 || !IsBlank(in.Peek())) return false;
  in.SkipBlanks();
  const std::string_view rest = in.rest();
  if (rest.size() > 4 && rest[4] == ' ') {
    if (!in.TakeNumber(4, 4, parts.year.emplace())) return false;
    in.SkipBlanks();
  }
  return TakeClock(in, parts);
}

/// The time since 1970: a number of s, ms, us or ns by its size. Exact: it is read as digits and the
/// place of the point, which the unit then moves.
Result<UnixTime> ParseEpoch(std::string_view text) {
  Scanner in(text);
  in.Take('+');
  std::array<char, 32> digits;  // From the first that is not 0; more are below the nanosecond.
  int count = 0, point = 0;     // How many there are, how many are in front of the point.
  bool fraction = false, any = false;
  for (;; any = true) {
    const char c = in.Peek();
    if (!fraction && any && in.TakeAnyOf(".,")) {
      fraction = true;
      continue;
    }
    if (!in.TakeAnyOf("0123456789")) break;
    if (count == 0 && c == '0') {
      if (fraction) --point;
      continue;
    }
    if (!fraction) ++point;
    if (count < static_cast<int>(digits.size())) digits[static_cast<size_t>(count++)] = c;
  }
  if (any && in.TakeAnyOf("eE")) {
    const bool negative = in.Peek() == '-';
    int exponent = 0;
    in.TakeAnyOf("+-");
    if (!in.TakeNumber(1, 4, exponent)) return kNoTime;
    point += negative ? -exponent : exponent;
  }
  if (!any || !in.done()) return kNoTime;
  if (count == 0) return UnixTime{};
  if (point > 19) return kNoTime;
  const int size = point + (point <= 11 ? 9 : point <= 14 ? 6 : point <= 17 ? 3 : 0);  // In nanoseconds.
  uint64_t ns = 0;
  for (int i = 0; i < size; ++i) {
    if (ns > std::numeric_limits<uint64_t>::max() / 10 - 1) return kNoTime;
    ns = ns * 10 + static_cast<uint64_t>(i < count ? digits[static_cast<size_t>(i)] - '0' : 0);
  }
  if (ns > static_cast<uint64_t>(kSecondsMax) * kSecondNs) return kNoTime;
  return UnixTime{static_cast<int64_t>(ns)};
}

Result<UnixTime> ParseAuto(std::string_view text, UnixTime now) {
  if (text.empty()) return kNoTime;
  const bool number = IsDigit(text[0]) || text[0] == '+';
  if (number && (text.size() < 5 || text[4] != '-')) return ParseEpoch(text);
  Scanner in(text);
  Parts parts;
  const bool taken = number ? TakeRfc3339(in, parts) : TakeBsd(in, parts);
  return taken && in.done() ? Compose(parts, now) : kNoTime;
}

/// What stands for several; empty: it does not.
std::string_view Expansion(char conversion) {
  switch (conversion) {
    case 'T': return "%H:%M:%S";
    case 'R': return "%H:%M";
    case 'D': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    default: return {};
  }
}

bool TakeByFormat(std::string_view format, Scanner& in, Parts& parts);

bool TakeConversion(char conversion, Scanner& in, Parts& parts) {
  // As in strptime, blanks may stand in front of a number.
  if (std::string_view("YymdejHIMSs").find(conversion) != std::string_view::npos) in.SkipBlanks();
  unsigned ignored = 0;
  switch (conversion) {
    case 'Y': return in.TakeNumber(4, 4, parts.year.emplace());
    case 'y': {
      unsigned& year = parts.year.emplace();
      if (!in.TakeNumber(2, 2, year)) return false;
      year += year < 69 ? 2000 : 1900;
      return true;
    }
    case 'm': return in.TakeNumber(1, 2, parts.month) && parts.month > 0;
    case 'd':
    case 'e': return in.TakeNumber(1, 2, parts.day) && parts.day > 0;
    case 'j': return in.TakeNumber(1, 3, parts.day_of_year) && parts.day_of_year > 0;
    case 'b':
    case 'B':
    case 'h':
      if (!in.TakeName(kMonths, parts.month)) return false;
      ++parts.month;
      return true;
    case 'a':
    case 'A': return in.TakeName(kWeekdays, ignored);
    case 'H': parts.twelve_hours = false; return in.TakeNumber(1, 2, parts.hour);
    case 'I': parts.twelve_hours = true; return in.TakeNumber(1, 2, parts.hour);
    case 'p': parts.afternoon = in.TakeWord("PM"); return parts.afternoon || in.TakeWord("AM");
    case 'M': return in.TakeNumber(1, 2, parts.minute);
    case 'S': return in.TakeNumber(1, 2, parts.second);
    case 'f':
    case 'L': return in.TakeDecimals(parts.nanosecond);
    case 's': return in.TakeNumber(1, 12, parts.unix.emplace());
    case 'z': return in.TakeOffset(parts.offset);
    case 'Z': parts.offset = 0; return in.TakeWord("UTC") || in.TakeWord("GMT");
    case 'n':
    case 't': in.SkipBlanks(); return true;
    case '%': return in.Take('%');
    default: return !Expansion(conversion).empty() && TakeByFormat(Expansion(conversion), in, parts);
  }
}

bool TakeByFormat(std::string_view format, Scanner& in, Parts& parts) {
  for (size_t i = 0; i < format.size(); ++i) {
    if (IsBlank(format[i])) {
      in.SkipBlanks();
    } else if (format[i] == '%' && ++i < format.size()) {
      if (!TakeConversion(format[i], in, parts)) return false;
    } else if (i == format.size() || !in.Take(format[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace

Status CheckTimeFormat(std::string_view format) {
  if (format == "auto") return {};
  constexpr std::string_view kKnown = "YymdejbBhaAHIpMSfLszZTRDFnt%";
  bool time = false, day = false, month = false;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    const char conversion = ++i < format.size() ? format[i] : '\0';
    const auto is_one_of = [conversion](std::string_view of) { return of.find(conversion) != of.npos; };
    if (!is_one_of(kKnown)) return {Code::kUnsupported, static_cast<int32_t>(i - 1), "unknown conversion"};
    time = time || is_one_of("YymdejbBhHIMSsTRDF");
    day = day || is_one_of("de");
    month = month || is_one_of("mbBhDFjs");
  }
  if (!time) return {Code::kInvalid, 0, "no time in it"};
  if (day && !month) return {Code::kInvalid, 0, "a day without its month"};
  return {};
}

Result<UnixTime> ParseTime(std::string_view format, std::string_view text, UnixTime now) {
  text = Trim(text);
  if (format == "auto") return ParseAuto(text, now);
  Scanner in(text);
  Parts parts;
  const bool taken = TakeByFormat(Trim(format), in, parts);
  return taken && in.done() ? Compose(parts, now) : kNoTime;
}

}  // namespace limpet
