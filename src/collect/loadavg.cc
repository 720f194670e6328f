#include "collect/loadavg.h"

#include "base/text.h"
#include "collect/scan.h"

namespace limpet {
namespace {

bool TakeAverage(std::string_view& rest, double& value) {
  uint64_t hundredths = 0;
  if (!TakeHundredths(rest, hundredths)) return false;
  value = static_cast<double>(hundredths) / 100;
  return true;
}

}  // namespace

Result<LoadAverage> ParseLoadAverage(std::string_view text) {
  LoadAverage load;
  std::string_view line;
  if (TakeLine(text, line) && TakeAverage(line, load.one) && TakeAverage(line, load.five) &&
      TakeAverage(line, load.fifteen)) {
    return load;
  }
  return {Code::kInvalid, 0, "loadavg"};
}

}  // namespace limpet
