#include "collect/vmstat.h"

#include "collect/scan.h"

namespace limpet {

Result<VmStat> ParseVmStat(std::string_view text) {
  struct Key {
    std::string_view name;
    std::optional<uint64_t> VmStat::* value;
  };
  static constexpr Key kKeys[] = {
      {"pgfault", &VmStat::pgfault}, {"pgmajfault", &VmStat::pgmajfault},
      {"pswpin", &VmStat::pswpin},   {"pswpout", &VmStat::pswpout},
      {"pgpgin", &VmStat::pgpgin},   {"pgpgout", &VmStat::pgpgout},
  };
  VmStat stat;
  if (text.empty()) return {Code::kInvalid, 0, "vmstat: empty"};
  if (!text.ends_with('\n')) return {Code::kInvalid, 0, "vmstat: last line is cut"};
  // Of some 180 lines few begin so, and behind the last that is wanted there is nothing to look at.
  constexpr char kFirst = 'p';
  size_t wanted = std::size(kKeys);
  std::string_view line;
  while (wanted > 0 && TakeLine(text, line)) {
    if (line.empty() || line[0] != kFirst) continue;
    const std::string_view name = TakeUntil(line, ' ');
    for (const Key& key : kKeys) {
      if (name != key.name) continue;
      uint64_t value = 0;
      if (!TakeNumber(line, value) || !Trim(line).empty()) {
        return {Code::kInvalid, 0, "vmstat: a number"};
      }
      if (!(stat.*key.value)) --wanted;
      stat.*key.value = value;
      break;
    }
  }
  return stat;
}

}  // namespace limpet
