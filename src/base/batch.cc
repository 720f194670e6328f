#include "limpet/batch.h"

namespace limpet {

std::string_view SignalName(Signal signal) {
  constexpr std::array<std::string_view, kSignalCount> kNames = {"metrics", "logs", "traces"};
  return kNames[Index(signal)];
}

}  // namespace limpet
