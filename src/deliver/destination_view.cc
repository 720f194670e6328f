#include "deliver/destination_view.h"

namespace limpet {

std::string_view BreakerReasonName(BreakerReason reason) {
  constexpr std::array<std::string_view, kBreakerReasonCount> kNames = {
      "connection", "timeout", "status", "misconfigured", "faulty", "refused", "probe", "quiet", "accepted"};
  return kNames[static_cast<size_t>(reason)];
}

}  // namespace limpet
