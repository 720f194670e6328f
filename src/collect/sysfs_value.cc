#include "collect/sysfs_value.h"

#include <algorithm>

#include "collect/scan.h"

namespace limpet {

std::optional<uint16_t> MatchNumbered(std::string_view pattern, std::string_view name) {
  const size_t at = pattern.find('#');
  if (at == std::string_view::npos) return pattern == name ? std::optional<uint16_t>(0) : std::nullopt;
  const std::string_view after = pattern.substr(at + 1);
  if (name.size() < pattern.size() || !name.starts_with(pattern.substr(0, at)) || !name.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(at, name.size() - pattern.size() + 1);
  if (digits.size() > 4 || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  return ParseNumber<uint16_t>(digits);
}

Result<int64_t> ParseSysfsNumber(std::string_view text) {
  const auto number = ParseNumber<int64_t>(Trim(WithoutNewline(text)));
  if (!number) return {Code::kInvalid, 0, "number"};
  return *number;
}

Result<int64_t> ParseLifeTime(std::string_view text, int which) {
  std::string_view rest = WithoutNewline(text);
  std::string_view words[] = {TakeWord(rest), TakeWord(rest)};
  std::optional<uint8_t> used[2];
  for (int i = 0; i < 2; ++i) {
    if (!words[i].starts_with("0x")) return {Code::kInvalid, 0, "life time"};
    used[i] = ParseNumber<uint8_t>(words[i].substr(2), 16);
    if (!used[i] || *used[i] > 11) return {Code::kInvalid, 0, "life time"};
  }
  if (!Trim(rest).empty()) return {Code::kInvalid, 0, "life time"};
  const int tenths = *used[which];
  if (tenths == 0) return {Code::kUnsupported, 0, "life time"};
  return int64_t{10 - std::min(tenths, 10)};
}

}  // namespace limpet
