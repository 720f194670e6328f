#include "logs/kmsg_record.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace limpet {
namespace {

/// Undoes \xNN. text: within `bytes`, where the outcome takes its place.
std::string_view Unescape(std::string_view text, std::span<char> bytes) {
  if (text.empty()) return {};
  char* const begin = bytes.data() + (text.data() - bytes.data());
  char* out = begin;
  while (!text.empty()) {
    char c = text[0];
    size_t taken = 1;
    if (c == '\\' && text.size() >= 4 && text[1] == 'x') {
      if (const std::optional<uint8_t> value = ParseNumber<uint8_t>(text.substr(2, 2), 16)) {
        c = static_cast<char>(*value);
        taken = 4;
      }
    }
    text.remove_prefix(taken);
    *out++ = c;
  }
  return {begin, static_cast<size_t>(out - begin)};
}

}  // namespace

Result<KmsgRecord> ParseKmsg(std::span<char> bytes) {
  constexpr Status kMalformed{Code::kInvalid, 0, "kmsg record"};
  std::string_view rest(bytes.data(), bytes.size());
  const size_t prefix_end = rest.find(';');
  if (prefix_end == std::string_view::npos) return kMalformed;
  std::string_view prefix = rest.substr(0, prefix_end);
  rest.remove_prefix(prefix_end + 1);

  const auto priority = ParseNumber<uint32_t>(TakeUntil(prefix, ','));
  const auto sequence = ParseNumber<uint64_t>(TakeUntil(prefix, ','));
  const auto microseconds = ParseNumber<uint64_t>(TakeUntil(prefix, ','));
  constexpr uint64_t kLatest = INT64_MAX / 1000;
  if (!priority || !sequence || !microseconds || *microseconds > kLatest) return kMalformed;

  KmsgRecord record;
  record.facility = *priority >> 3;
  record.level = *priority & 7;
  record.sequence = *sequence;
  record.since_boot = {static_cast<int64_t>(*microseconds) * 1000};
  record.text = Unescape(TakeUntil(rest, '\n'), bytes);
  while (!rest.empty()) {
    std::string_view value = TakeUntil(rest, '\n');
    const std::string_view key = TakeUntil(value, '=');
    if (key == " SUBSYSTEM") record.subsystem = Unescape(value, bytes);
    if (key == " DEVICE") record.device = Unescape(value, bytes);
  }
  return record;
}

}  // namespace limpet
