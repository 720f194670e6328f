#include "config/value.h"

#include <span>

#include "base/calendar.h"
#include "config/endpoint.h"
#include "config/ini.h"
#include "config/list.h"
#include "config/suggest.h"

namespace limpet {
namespace {

constexpr int64_t kNsPerDay = 86'400'000'000'000;

struct Unit {
  std::string_view name;
  int64_t size;
};
constexpr Unit kDurationUnits[] = {
    {"d", kNsPerDay}, {"h", 3'600'000'000'000}, {"m", 60'000'000'000},
    {"s", 1'000'000'000}, {"ms", 1'000'000}};
constexpr Unit kSizeUnits[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};

/// Digits and a unit. Nothing when malformed or too large.
std::optional<int64_t> ParseWithUnit(std::string_view text, std::span<const Unit> units) {
  const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789"));
  const std::optional<int64_t> count = ParseNumber<int64_t>(digits);
  if (!count) return std::nullopt;
  const std::string_view name = text.substr(digits.size());
  if (name.empty() && *count == 0) return 0;  // No unit needed.
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (*count > INT64_MAX / unit.size) return std::nullopt;
    return *count * unit.size;
  }
  return std::nullopt;
}

void FormatWithUnit(TextWriter& out, int64_t value, std::span<const Unit> units) {
  if (value == 0) {
    out << '0';
    return;
  }
  for (const Unit& unit : units) {
    if (value % unit.size != 0) continue;
    out << value / unit.size << unit.name;
    return;
  }
}

std::optional<int64_t> ParsePercent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  const std::optional<uint32_t> percent = ParseNumber<uint32_t>(text);
  if (!percent) return std::nullopt;
  return *percent;
}

std::optional<int64_t> ParseBoolean(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on") return 1;
  if (text == "false" || text == "no" || text == "off") return 0;
  return std::nullopt;
}

/// YYYY-MM-DD, from 1970 to 2199: nanoseconds of later dates come near the end of 64 bits.
std::optional<int64_t> ParseDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = ParseNumber<uint16_t>(text.substr(0, 4));
  const auto month = ParseNumber<uint8_t>(text.substr(5, 2));
  const auto day = ParseNumber<uint8_t>(text.substr(8, 2));
  if (!year || !month || !day || *year < 1970 || *year > 2199) return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1) return std::nullopt;
  const int64_t ns = DaysSinceEpoch(*year, *month, *day) * kNsPerDay;
  const CivilTime back = ToCivil({ns});  // The 31st of a month without one is another day.
  if (back.month != *month || back.day != *day) return std::nullopt;
  return ns;
}

void FormatDate(TextWriter& out, int64_t ns) {
  const CivilTime date = ToCivil({ns});
  out << date.year << (date.month < 10 ? "-0" : "-") << date.month
      << (date.day < 10 ? "-0" : "-") << date.day;
}

/// A word of `choices`. Returns its place among the built ones.
/// kInvalid: unknown. kUnsupported: known, but not built.
Result<int64_t> FindChoice(std::string_view choices, std::string_view word) {
  int64_t place = 0;
  for (std::string_view rest = choices; !rest.empty();) {
    const std::string_view choice = TakeWord(rest);
    const bool built = !choice.starts_with('-');
    if (choice.substr(built ? 0 : 1) == word) {
      if (!built) return Status{Code::kUnsupported, 0, "choice"};
      return place;
    }
    if (built) ++place;
  }
  return Status{Code::kInvalid, 0, "choice"};
}

void DescribeChoices(TextWriter& out, std::string_view choices) {
  const char* between = "";
  for (std::string_view rest = choices; !rest.empty(); between = ", ") {
    std::string_view choice = TakeWord(rest);
    if (choice.starts_with('-')) choice.remove_prefix(1);
    out << between << choice;
  }
}

/// Says why FindChoice failed.
Status ChoiceProblem(TextWriter& problem, std::string_view choices, std::string_view word,
                     Status found) {
  if (found.code == Code::kUnsupported) {
    problem << word << " is not available in this build";
    return found;
  }
  Suggestion suggestion(word);
  for (std::string_view rest = choices; !rest.empty();) {
    std::string_view choice = TakeWord(rest);
    if (choice.starts_with('-')) choice.remove_prefix(1);
    suggestion.Offer(choice);
  }
  problem << "unknown value";
  if (word.size() <= 40 && !word.empty()) problem << ' ' << word;
  if (!suggestion.best().empty()) {
    problem << " (did you mean " << suggestion.best() << "?)";
  } else {
    problem << " (expected ";
    DescribeChoices(problem, choices);
    problem << ')';
  }
  return found;
}

Result<int64_t> ParseFlags(std::string_view choices, std::string_view text, TextWriter& problem) {
  int64_t flags = 0;
  ListIterator words(text);
  for (std::string_view word; words.Next(word);) {
    const Result<int64_t> place = FindChoice(choices, word);
    if (!place.ok()) return ChoiceProblem(problem, choices, word, place.status());
    flags |= int64_t{1} << place.value();
  }
  return flags;
}

/// Copies the value without its quotes and the comment behind it. Null, or what is wrong.
const char* Unpack(std::string_view raw, TextWriter& out) {
  if (!raw.starts_with('"')) {
    const size_t at = raw.find(';');
    if (at == std::string_view::npos) {
      out << raw;
      return nullptr;
    }
    // `http://a/;b` without quotes could be meant either way, so it is neither.
    const bool comment = at == 0 || raw[at - 1] == ' ' || raw[at - 1] == '\t';
    if (!comment) return "a value with ; stands in double quotes; a comment has a blank before ;";
    out << Trim(raw.substr(0, at));
    return nullptr;
  }
  for (size_t i = 1; i < raw.size(); ++i) {
    if (raw[i] == '"') {
      const std::string_view behind = Trim(raw.substr(i + 1));
      return behind.empty() || behind[0] == ';' ? nullptr
                                                : "expected nothing behind the closing quote";
    }
    if (raw[i] == '\\') {
      ++i;
      if (i == raw.size()) break;
      if (raw[i] != '"' && raw[i] != '\\') return "inside quotes write \\\\ for a backslash";
    }
    out << raw[i];
  }
  return "expected a closing quote";
}

bool IsPlain(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    const size_t length = Utf8Length(text.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

/// What stands between `${` and `}`.
Status ExpandVariable(std::string_view inside, Variables& variables, TextWriter& into,
                      TextWriter& problem) {
  const size_t at = inside.find(":-");
  const std::string_view name = inside.substr(0, at);
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || c == '_' || (c >= '0' && c <= '9')) continue;
    problem << "expected ${NAME} or ${NAME:-default}";
    return {Code::kInvalid, 0, "variable"};
  }
  const std::optional<std::string_view> value = variables.Variable(name);
  if (at != std::string_view::npos && (!value || value->empty())) {
    into << inside.substr(at + 2);
    return {};
  }
  if (name.empty() || !value) {
    problem << "${" << name << "} is not set in the environment and has no default";
    return {Code::kInvalid, 0, "variable"};
  }
  if (!IsPlain(*value)) {
    problem << "${" << name << "} holds control characters or bad UTF-8";
    return {Code::kInvalid, 0, "variable"};
  }
  into << *value;
  return {};
}

const char* FaultOf(Kind kind, std::string_view text) {
  if (kind == Kind::kProxy) return ProxyFault(text);
  return kind == Kind::kHost ? HostFault(text) : PinsFault(text);
}

}  // namespace

Status ExpandValue(std::string_view raw, Variables& variables, TextWriter& into,
                   TextWriter& problem) {
  TextBuffer<kIniLineMax> unpacked;
  if (const char* const wrong = Unpack(raw, unpacked)) {
    problem << wrong;
    return {Code::kInvalid, 0, "value"};
  }
  if (unpacked.overflowed()) {  // Only --set can be so long.
    problem << "the value is longer than " << kIniLineMax << " bytes";
    return {Code::kInvalid, 0, "value"};
  }
  std::string_view rest = unpacked.text();
  while (!rest.empty()) {
    const size_t dollar = rest.find('$');
    into << rest.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    rest.remove_prefix(dollar + 1);
    if (rest.starts_with('$')) {
      into << '$';
      rest.remove_prefix(1);
      continue;
    }
    const size_t end = rest.find('}');
    if (!rest.starts_with('{') || end == std::string_view::npos) {
      problem << "expected ${NAME}; write $$ for a dollar";
      return {Code::kInvalid, 0, "value"};
    }
    LIMPET_TRY(ExpandVariable(rest.substr(1, end - 1), variables, into, problem));
    rest.remove_prefix(end + 1);
  }
  if (into.overflowed()) return {Code::kFull, 0, "value"};
  return {};
}

void WriteValue(TextWriter& out, std::string_view value) {
  const bool quoted = value != Trim(value) || value.starts_with('"') ||
                      value.find(';') != std::string_view::npos;
  if (quoted) out << '"';
  for (const char c : value) {
    if (c == '$') out << '$';
    if (quoted && (c == '"' || c == '\\')) out << '\\';
    out << c;
  }
  if (quoted) out << '"';
}

Result<Value> ParseValue(Kind kind, std::string_view choices, std::string_view text,
                         TextWriter& problem) {
  const Status invalid{Code::kInvalid, 0, "value"};
  std::optional<int64_t> integer;
  const char* expected = nullptr;
  switch (kind) {
    case Kind::kText:
    case Kind::kList:
      return Value{.text = text};
    case Kind::kPath:
      if (!text.empty() && text.size() <= kConfigPathMax) return Value{.text = text};
      problem << "expected a path of 1 to " << kConfigPathMax << " bytes";
      return invalid;
    case Kind::kUrl:
    case Kind::kWholeUrl:
      if (!text.empty()) expected = UrlFault(text, kind == Kind::kWholeUrl);
      if (expected == nullptr) return Value{.text = text};
      problem << expected;
      return invalid;
    case Kind::kProxy:
    case Kind::kHost:
    case Kind::kPins:
      if (!text.empty()) expected = FaultOf(kind, text);
      if (expected == nullptr) return Value{.text = text};
      problem << expected;
      return invalid;
    case Kind::kAddress:
      if (text.empty() || SplitAddress(text)) return Value{.text = text};
      problem << "expected ADDRESS:PORT such as 127.0.0.1:13133 or [::1]:13133";
      return invalid;
    case Kind::kListener:
      if (SplitAddress(text) || IsUnixListener(text)) return Value{.text = text};
      problem << "expected ADDRESS:PORT such as 127.0.0.1:4318 or [::1]:4318, or unix:/PATH of at most "
              << kUnixPathMax << " bytes";
      return invalid;
    case Kind::kNumber: {
      const std::optional<double> number = ParseDouble(text);
      if (number) return Value{.number = *number};
      problem << "expected a number such as 2 or 0.5";
      return invalid;
    }
    case Kind::kChoice: {
      const Result<int64_t> place = FindChoice(choices, text);
      if (place.ok()) return Value{.integer = place.value()};
      return ChoiceProblem(problem, choices, text, place.status());
    }
    case Kind::kFlags: {
      const Result<int64_t> flags = ParseFlags(choices, text, problem);
      if (!flags.ok()) return flags.status();
      if (flags.value() != 0) return Value{.integer = flags.value()};
      problem << "expected one or more of ";
      DescribeChoices(problem, choices);
      return invalid;
    }
    case Kind::kDuration:
      integer = ParseWithUnit(text, kDurationUnits);
      expected = "a duration such as 250ms, 10s, 5m, 2h or 7d";
      break;
    case Kind::kSize:
      integer = ParseWithUnit(text, kSizeUnits);
      expected = "a size such as 512, 64KiB or 2MiB";
      break;
    case Kind::kCount:
      if (const auto count = ParseNumber<uint32_t>(text)) integer = *count;
      expected = "a whole number";
      break;
    case Kind::kPercent:
      integer = ParsePercent(text);
      expected = "a percentage such as 25%";
      break;
    case Kind::kBoolean:
      integer = ParseBoolean(text);
      expected = "true or false (or yes, no, on, off)";
      break;
    case Kind::kDate:
      integer = ParseDate(text);
      expected = "a date such as 2024-01-01, not before 1970 nor after 2199";
      break;
  }
  if (integer) return Value{.integer = *integer};
  problem << "expected " << expected;
  return invalid;
}

void FormatValue(TextWriter& out, Kind kind, std::string_view choices, const Value& value) {
  switch (kind) {
    case Kind::kText:
    case Kind::kPath:
    case Kind::kList:
    case Kind::kUrl:
    case Kind::kWholeUrl:
    case Kind::kProxy:
    case Kind::kHost:
    case Kind::kPins:
    case Kind::kAddress:
    case Kind::kListener:
      WriteValue(out, value.text);
      return;
    case Kind::kNumber:
      out.Double(value.number);
      return;
    case Kind::kDuration:
      FormatWithUnit(out, value.integer, kDurationUnits);
      return;
    case Kind::kSize:
      FormatWithUnit(out, value.integer, kSizeUnits);
      return;
    case Kind::kCount:
      out << value.integer;
      return;
    case Kind::kPercent:
      out << value.integer << '%';
      return;
    case Kind::kBoolean:
      out << (value.integer != 0 ? "true" : "false");
      return;
    case Kind::kDate:
      FormatDate(out, value.integer);
      return;
    case Kind::kChoice:
    case Kind::kFlags: {
      int64_t place = 0;
      const char* between = "";
      for (std::string_view rest = choices; !rest.empty();) {
        const std::string_view choice = TakeWord(rest);
        if (choice.starts_with('-')) continue;
        const bool chosen = kind == Kind::kChoice ? value.integer == place
                                                  : (value.integer >> place & 1) != 0;
        ++place;
        if (!chosen) continue;
        out << between << choice;
        between = ", ";
      }
      return;
    }
  }
}

bool SameValue(Kind kind, const Value& a, const Value& b) {
  if (kind != Kind::kList) {
    return a.text == b.text && a.integer == b.integer && !(a.number < b.number) &&
           !(b.number < a.number);
  }
  ListIterator as(a.text), bs(b.text);
  for (;;) {
    std::string_view x, y;
    const bool more = as.Next(x);
    if (more != bs.Next(y)) return false;
    if (!more) return true;
    if (x != y) return false;
  }
}

}  // namespace limpet
