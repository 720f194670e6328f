#include "collect/network_group.h"

#include <span>
#include <string_view>

namespace limpet {
namespace {

constexpr Metric kNetworkIo{"system.network.io", "By", Instrument::kCounter};
constexpr Metric kNetworkPackets{"system.network.packet.count", "{packet}", Instrument::kCounter};
constexpr Metric kNetworkDropped{"system.network.packet.dropped", "{packet}",
                                 Instrument::kCounter};
constexpr Metric kNetworkErrors{"system.network.errors", "{error}", Instrument::kCounter};

}  // namespace

Status NetworkGroup::Collect(const GroupContext& context, Points& out) {
  // /proc/net leads to the reader's own network namespace: below another root it is that of the
  // host's first process that is wanted.
  bool cut = false;
  const Result<std::string_view> text =
      context.root.is_own()
          ? net_dev_.ReadWhole(context.root, {"/proc/net/dev"}, context.buffer, &cut)
          : net_dev_.ReadWhole(context.root, {"/proc/1/net/dev", "/proc/net/dev"}, context.buffer, &cut);
  if (!text.ok()) return text.status();
  const Result<NetDev> parsed = ParseNetDev(text.value(), context.options.exclude_interfaces, interfaces_);
  if (!parsed.ok()) return parsed.status();
  if ((cut || parsed.value().left_out != 0) && !said_interfaces_) {
    said_interfaces_ = true;
    context.log.Warn("network interfaces are left out: too many, or a name or counters that are none",
                     {{"left_out", parsed.value().left_out},
                      {"at_most", kInterfacesMax},
                      {"longer_than", cut ? context.buffer.size() : 0}});
  }

  struct Column {
    const Metric& metric;
    std::string_view name_key;  // packet.count alone still says system.device.
    uint64_t Traffic::* value;
  };
  constexpr Column kColumns[] = {
      {kNetworkIo, "network.interface.name", &Traffic::bytes},
      {kNetworkPackets, "system.device", &Traffic::packets},
      {kNetworkDropped, "network.interface.name", &Traffic::dropped},
      {kNetworkErrors, "network.interface.name", &Traffic::errors},
  };
  constexpr std::string_view kDirection = "network.io.direction";
  const std::span<const Interface> interfaces = std::span(interfaces_).first(parsed.value().count);
  for (const Column& column : kColumns) {
    out.Begin(column.metric);
    for (const Interface& interface : interfaces) {
      const Attribute receive[] = {{column.name_key, interface.name}, {kDirection, "receive"}};
      const Attribute transmit[] = {{column.name_key, interface.name}, {kDirection, "transmit"}};
      out.Int(receive, interface.receive.*column.value);
      out.Int(transmit, interface.transmit.*column.value);
    }
  }
  return {};
}

}  // namespace limpet
