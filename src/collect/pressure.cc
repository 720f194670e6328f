#include "collect/pressure.h"

#include "collect/scan.h"

namespace limpet {
namespace {

/// Takes blanks and "<name>=" off the front.
bool TakeName(std::string_view& rest, std::string_view name) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  if (!rest.starts_with(name)) return false;
  rest.remove_prefix(name.size());
  return true;
}

bool ParseStall(std::string_view rest, Stall& stall) {
  static constexpr std::array<std::string_view, kPressureWindows> kNames = {"avg10=", "avg60=",
                                                                            "avg300="};
  for (size_t i = 0; i < kNames.size(); ++i) {
    uint64_t hundredths = 0;  // Of a percent.
    if (!TakeName(rest, kNames[i]) || !TakeHundredths(rest, hundredths)) return false;
    stall.average[i] = static_cast<double>(hundredths) / 10'000;
  }
  return TakeName(rest, "total=") && TakeNumber(rest, stall.total_us);
}

}  // namespace

Result<Pressure> ParsePressure(std::string_view text) {
  Pressure pressure;
  bool has_some = false;
  std::string_view line;
  while (TakeLine(text, line)) {
    const std::string_view kind = TakeUntil(line, ' ');
    if (kind != "some" && kind != "full") continue;
    const bool some = kind == "some";
    has_some |= some;
    pressure.has_full |= !some;
    if (!ParseStall(line, some ? pressure.some : pressure.full)) {
      return {Code::kInvalid, 0, "pressure: a line"};
    }
  }
  if (!text.empty()) return {Code::kInvalid, 0, "pressure: last line is cut"};
  if (!has_some) return {Code::kInvalid, 0, "pressure: no line some"};
  return pressure;
}

}  // namespace limpet
