#include "collect/loadavg.h"

#include "base/text.h"
#include "collect/scan.h"

namespace limpet {
namespace {

/// "<whole>.<two digits>", as the kernel writes it on every version. Read as hundredths, so that
/// one division gives the nearest double: strtod is slower and asks the locale for its point.
bool TakeHundredths(std::string_view& rest, double& value) {
  std::string_view word = TakeWord(rest);
  const auto whole = ParseNumber<uint32_t>(TakeUntil(word, '.'));
  const auto hundredths = ParseNumber<uint32_t>(word);
  if (!whole || !hundredths || word.size() != 2) return false;
  value = (static_cast<double>(*whole) * 100 + *hundredths) / 100;
  return true;
}

}  // namespace

Result<LoadAverage> ParseLoadAverage(std::string_view text) {
  LoadAverage load;
  std::string_view line;
  if (TakeLine(text, line) && TakeHundredths(line, load.one) && TakeHundredths(line, load.five) &&
      TakeHundredths(line, load.fifteen)) {
    return load;
  }
  return {Code::kInvalid, 0, "loadavg"};
}

}  // namespace limpet
