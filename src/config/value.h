// What a value may look like: how it is unpacked from its line, and how each kind of value is read
// and written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "limpet/status.h"

namespace limpet {

/// Variables of the process: configuration values may refer to them.
class Variables {
 public:
  /// The text lives as long as the process.
  virtual std::optional<std::string_view> Variable(std::string_view name) = 0;

 protected:
  ~Variables() = default;
};

/// Knows what a regular expression is; whoever runs them is asked, so that both agree.
class PatternCheck {
 public:
  /// False: `problem` says what is wrong, for people.
  virtual bool Check(std::string_view pattern, TextWriter& problem) = 0;

 protected:
  ~PatternCheck() = default;
};

/// Takes the quotes and the comment off a value as written and fills in `${VAR}`, `${VAR:-default}`
/// (also where VAR is empty) and `$$`.
/// into: gets the result. problem: on kInvalid, what is wrong, for people.
/// kInvalid: quotes that do not close, an unknown escape, a stray `;` or `$`, a variable that is
/// not set or holds control characters or bad UTF-8. kFull: `into` has no room.
Status ExpandValue(std::string_view raw, Variables& variables, TextWriter& into,
                   TextWriter& problem);

/// Writes a value so that ExpandValue gives it back: quoted where needed, `$` doubled.
void WriteValue(TextWriter& out, std::string_view value);

/// Leaves room for what is appended (limits.h, kPathMax).
inline constexpr size_t kConfigPathMax = 256;

enum class Kind : uint8_t {
  kText,
  kPath,      ///< Not empty, at most kConfigPathMax bytes.
  kList,      ///< Texts split at commas, kept as one text.
  kUrl,       ///< http or https; the base to which paths are appended.
  kWholeUrl,  ///< The same, perhaps with a query.
  kProxy,     ///< http://[user:password@]host:port.
  kHost,      ///< A host name or address, without port.
  kPins,      ///< sha256//BASE64 of public keys, with `;` between them.
  kAddress,   ///< ADDRESS:PORT to listen at; empty: nowhere.
  kListener,  ///< ADDRESS:PORT or unix:/PATH to listen at.
  kDuration,  ///< 250ms 10s 5m 2h 7d: nanoseconds.
  kSize,      ///< 512 64KiB 2MiB 1GiB: bytes.
  kCount,     ///< A whole number.
  kNumber,    ///< 2 0.5
  kPercent,   ///< 25%: 25.
  kBoolean,   ///< true false yes no on off.
  kDate,      ///< 2024-01-01: nanoseconds of its first moment in UTC.
  kChoice,    ///< One of the row's words: its place among the built ones.
  kFlags,     ///< A list of the row's words: 1 << place, or'ed.
};

/// A parsed value: which member holds it depends on the kind.
struct Value {
  std::string_view text = {};  ///< kText to kListener.
  int64_t integer = 0;         ///< All others but kNumber.
  double number = 0;           ///< kNumber.
};

/// choices: for kChoice and kFlags, words split by blanks; one with a `-` in front is known, but
/// not built, and counts for nothing.
/// problem: when it fails, what was expected, for people; never the value itself.
/// kInvalid: malformed. kUnsupported: a word that is known, but not built.
Result<Value> ParseValue(Kind kind, std::string_view choices, std::string_view text,
                         TextWriter& problem);

/// The value as one would write it, in the largest unit that takes it without a fraction.
void FormatValue(TextWriter& out, Kind kind, std::string_view choices, const Value& value);

/// Do both say the same? Lists are compared element by element.
bool SameValue(Kind kind, const Value& a, const Value& b);

}  // namespace limpet
