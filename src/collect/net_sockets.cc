#include "collect/net_sockets.h"

#include "base/text.h"

namespace limpet {

Status ParseSocketHeading(std::string_view line) {
  if (TakeWord(line) == "sl" && TakeWord(line) == "local_address") return {};
  return {Code::kInvalid, 0, "net: heading of the sockets"};
}

Result<size_t> ParseSocketState(std::string_view line) {
  constexpr size_t kSynReceived = 3, kNewSynReceived = 12;
  if (!TakeWord(line).ends_with(':')) return {Code::kInvalid, 0, "net: number of a socket"};
  for (int address = 0; address < 2; ++address) {
    if (TakeWord(line).find(':') == std::string_view::npos) {
      return {Code::kInvalid, 0, "net: address of a socket"};
    }
  }
  const std::string_view word = TakeWord(line);
  const auto state = ParseNumber<uint8_t>(word, 16);
  if (!state || word.size() != 2) return {Code::kInvalid, 0, "net: state of a socket"};
  if (*state == kNewSynReceived) return kSynReceived;
  if (*state == 0 || *state > kTcpStates) return {Code::kInvalid, 0, "net: state of a socket"};
  return size_t{*state};
}

}  // namespace limpet
