#include "collect/cpu_sysfs.h"

#include <limits>

#include "collect/scan.h"

namespace limpet {

Result<uint32_t> ParseFirstCpu(std::string_view text) {
  const std::string_view list = WithoutNewline(text);
  const auto first = ParseNumber<uint32_t>(list.substr(0, list.find_first_of(",-")));
  if (!first) return {Code::kInvalid, 0, "list of CPUs"};
  return *first;
}

Result<uint64_t> ParseFrequency(std::string_view text) {
  const auto khz = ParseNumber<uint64_t>(WithoutNewline(text));
  if (!khz || *khz > std::numeric_limits<int64_t>::max() / 1000) {
    return {Code::kInvalid, 0, "CPU frequency"};
  }
  return *khz * 1000;
}

}  // namespace limpet
