// Every key there is: section, kind, range, default, help, and where its value goes. The loader,
// the printer and the test of config/limpet.ini all read this one table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "config/config.h"
#include "config/value.h"

namespace limpet {

/// A list of keys with names of the user's choice.
struct Pairs {
  std::span<KeyValue> items;
  size_t* count;
};

/// Where a value goes. A byte stands for an enum (its values in the order of the built choices), a
/// set of signals or a truth.
using Place = std::variant<std::monostate, std::string_view*, Duration*, UnixTime*, uint64_t*,
                           uint32_t*, double*, uint8_t*, bool*, Pairs>;

/// Whose values the places are: the configuration, and the destination or log source at hand.
struct Owners {
  Config& config;
  DestinationConfig& destination;
  LogConfig& log;
};

struct Row {
  const char* section = "";   ///< "agent", "destination.*".
  const char* key = "";       ///< "interval"; a `*` stands for a name: "header.*", "header.*_file".
  Kind kind = Kind::kText;
  const char* fallback = "";  ///< The default as one would write it; empty: none.
  const char* help = "";      ///< A line for people.

  /// Where the value goes. Null: what would use it is not built, and only the default is accepted.
  Place (*place)(const Owners&) = nullptr;

  double min = 0, max = 0;    ///< Range of a number, in the kind's base unit.
  bool none = false;          ///< 0 is allowed besides and means none.
  bool secret = false;        ///< May hold a password: masked when printed, never quoted.
  const char* choices = "";   ///< As ParseValue takes them.
  LogTypeSet types = kAllLogTypes;  ///< log.*: the types of source that it says something about.
};

struct SectionRow {
  const char* name;     ///< "agent"; "destination.*" repeats, with a name for the star.
  const char* help;
  bool built;

  /// Off by default: runs only when present, which is noted there. Null: runs anyway, or repeats.
  bool* (*present)(Config&) = nullptr;
};

/// In the order of the documentation; the keys of a section stand together.
std::span<const Row> Rows();
std::span<const SectionRow> Sections();

/// The sections that repeat.
inline constexpr std::string_view kDestinationSection = "destination.*", kLogSection = "log.*";

/// "header.X-Org" matches "header.*" and gives "X-Org". Returns false when it does not match.
bool MatchesName(std::string_view pattern, std::string_view name, std::string_view* star);

/// The row for a key; of two the one that comes first. Null when the section has no such key.
/// section: as in the table ("destination.*"). star: what stands for the `*`.
const Row* FindRow(std::string_view section, std::string_view key, std::string_view* star);

/// Does a section have this row? A log source has the rows of its type.
inline bool Concerns(const Row& row, const LogConfig& log) {
  return row.section != kLogSection || (row.types & Bit(log.type)) != 0;
}

/// The row for "destination.primary"; null when unknown. A name after the dot is 1 to 32 letters,
/// digits, `-` and `_`.
const SectionRow* FindSection(std::string_view name, std::string_view* star);

/// Puts a value where it belongs. Not for Pairs.
void StoreValue(const Place& place, const Value& value);
Value LoadValue(const Place& place);

/// Fills in the defaults: of everything but destinations and log sources, or of one of those.
void SetDefaults(Config& config);
void SetDefaults(DestinationConfig& destination);
void SetDefaults(LogConfig& log);

}  // namespace limpet
