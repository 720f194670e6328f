#include "collect/identity.h"

#include "base/text.h"
#include "collect/scan.h"

namespace limpet {
namespace {

/// -1 when it is no lower-case hex digit.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Result<std::string_view> ParseMachineId(std::string_view text) {
  const std::string_view id = WithoutNewline(text);
  if (id.size() != 32 || id.find_first_not_of("0123456789abcdef") != std::string_view::npos ||
      id.find_first_not_of('0') == std::string_view::npos) {
    return {Code::kInvalid, 0, "machine-id"};
  }
  return id;
}

Result<BootId> ParseBootId(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const std::string_view id = WithoutNewline(text);
  if (id.size() != kForm.size()) return {Code::kInvalid, 0, "boot_id"};
  BootId boot;
  size_t digits = 0;
  for (size_t i = 0; i < id.size(); ++i) {
    if (kForm[i] == '-' && id[i] == '-') continue;
    const int digit = HexDigit(id[i]);
    if (kForm[i] == '-' || digit < 0) return {Code::kInvalid, 0, "boot_id"};
    uint8_t& byte = boot.bytes[digits++ / 2];
    byte = static_cast<uint8_t>(byte << 4 | digit);
  }
  return boot;
}

BoardName ParseCompatible(std::string_view text) {
  const std::string_view first = TakeUntil(text, '\0');
  const size_t comma = first.find(',');
  if (comma == std::string_view::npos) return {{}, first};
  return {first.substr(0, comma), first};
}

std::string_view ParseModel(std::string_view text) { return TakeUntil(text, '\0'); }

}  // namespace limpet
