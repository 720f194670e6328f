#include "collect/net_dev.h"

#include <array>

#include "base/text.h"
#include "collect/scan.h"

namespace limpet {
namespace {

constexpr size_t kNameMax = 15;  // IFNAMSIZ without its NUL.
constexpr size_t kColumns = 16;  // Eight for each direction, since Linux 2.2.

bool ParseTraffic(std::string_view columns, Interface& interface) {
  std::array<uint64_t, kColumns> n;
  for (uint64_t& value : n) {
    if (!TakeNumber(columns, value)) return false;
  }
  // bytes packets errs drop fifo frame compressed multicast | bytes packets errs drop …
  interface.receive = {.bytes = n[0], .packets = n[1], .errors = n[2], .dropped = n[3]};
  interface.transmit = {.bytes = n[8], .packets = n[9], .errors = n[10], .dropped = n[11]};
  return true;
}

}  // namespace

Result<NetDev> ParseNetDev(std::string_view text, std::string_view exclude,
                           std::span<Interface> table) {
  std::string_view line;
  for (int heading = 0; heading < 2; ++heading) {
    if (!TakeLine(text, line) || line.find('|') == std::string_view::npos) {
      return {Code::kInvalid, 0, "net/dev: heading"};
    }
  }
  NetDev found;
  bool any_bad = false;
  while (TakeLine(text, line)) {
    // The last colon: old kernels allowed one in names (eth0:1), and write no blank behind it.
    const size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) return {Code::kInvalid, 0, "net/dev: no interface name"};
    const std::string_view name = Trim(line.substr(0, colon));
    if (name.empty() || name.size() > kNameMax) {
      return {Code::kInvalid, 0, "net/dev: interface name"};
    }
    if (AnyGlobMatches(exclude, name)) continue;
    if (found.count == table.size() || !IsPlainText(name)) {
      ++found.left_out;
      continue;
    }
    Interface& interface = table[found.count];
    interface.name = name;
    if (!ParseTraffic(line.substr(colon + 1), interface)) {
      // A driver's mistake, beyond what a signed number holds, is no reason to drop the others.
      ++found.left_out;
      any_bad = true;
      continue;
    }
    ++found.count;
  }
  if (any_bad && found.count == 0) return {Code::kInvalid, 0, "net/dev: counters"};
  if (!text.empty()) return {Code::kInvalid, 0, "net/dev: last line is cut"};
  return found;
}

}  // namespace limpet
