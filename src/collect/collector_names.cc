#include "collect/collector_names.h"

#include <algorithm>
#include <string_view>

namespace limpet {

struct CollectorNames::Row {
  std::string_view from;    // Its name in the conventions 1.44.
  Metric to;                // No name: left out.
  bool is_double = false;   // The receiver has no integer there.
};

namespace {

constexpr auto kCounter = Instrument::kCounter;
constexpr auto kUpDown = Instrument::kUpDownCounter;
constexpr auto kGauge = Instrument::kGauge;

/// From the metadata.yaml of each of its scrapers, metrics that are off by default among them: who
/// reads them from there reads them from here.
constexpr CollectorNames::Row kMetrics[] = {
    {"system.cpu.time", {"system.cpu.time", "s", kCounter}},
    {"system.cpu.frequency", {"system.cpu.frequency", "Hz", kGauge}, true},
    {"system.memory.usage", {"system.memory.usage", "By", kUpDown}},
    {"system.memory.utilization", {"system.memory.utilization", "1", kGauge}},
    {"system.memory.linux.available", {"system.linux.memory.available", "By", kUpDown}},
    {"system.memory.linux.slab.usage", {}},  // States of system.memory.usage.
    {"system.paging.usage", {"system.paging.usage", "By", kUpDown}},
    {"system.paging.utilization", {"system.paging.utilization", "1", kGauge}},
    {"system.paging.faults", {"system.paging.faults", "{faults}", kCounter}},
    {"system.paging.operations", {"system.paging.operations", "{operations}", kCounter}},
    {"system.disk.io", {"system.disk.io", "By", kCounter}},
    {"system.disk.operations", {"system.disk.operations", "{operations}", kCounter}},
    {"system.disk.merged", {"system.disk.merged", "{operations}", kCounter}},
    {"system.disk.operation_time", {"system.disk.operation_time", "s", kCounter}},
    {"system.disk.io_time", {"system.disk.io_time", "s", kCounter}},
    {"system.disk.weighted_io_time", {"system.disk.weighted_io_time", "s", kCounter}},
    {"system.disk.pending_operations", {"system.disk.pending_operations", "{operations}", kUpDown}},
    {"system.filesystem.usage", {"system.filesystem.usage", "By", kUpDown}},
    {"system.filesystem.inodes.usage", {"system.filesystem.inodes.usage", "{inodes}", kUpDown}},
    {"system.filesystem.utilization", {"system.filesystem.utilization", "1", kGauge}},
    {"system.network.io", {"system.network.io", "By", kCounter}},
    {"system.network.packet.count", {"system.network.packets", "{packets}", kCounter}},
    {"system.network.packet.dropped", {"system.network.dropped", "{packets}", kCounter}},
    {"system.network.errors", {"system.network.errors", "{errors}", kCounter}},
    {"system.network.connection.count", {"system.network.connections", "{connections}", kUpDown}},
    {"system.process.count", {"system.processes.count", "{processes}", kUpDown}},
    {"system.process.created", {"system.processes.created", "{processes}", kCounter}},
    {"process.cpu.time", {"process.cpu.time", "s", kCounter}},
    {"process.disk.io", {"process.disk.io", "By", kCounter}},
    {"process.disk.operations", {"process.disk.operations", "{operations}", kCounter}},
    {"process.thread.count", {"process.threads", "{threads}", kUpDown}},
    {"process.unix.file_descriptor.count", {"process.open_file_descriptors", "{count}", kUpDown}},
    {"process.context_switches", {"process.context_switches", "{count}", kCounter}},
    {"process.paging.faults", {"process.paging.faults", "{faults}", kCounter}},
};

struct Renamed {
  std::string_view from, to;
};

/// Of those metrics only.
constexpr Renamed kKeys[] = {
    {"cpu.mode", "state"},
    {"cpu.logical_number", "cpu"},
    {"system.memory.state", "state"},
    {"system.paging.state", "state"},
    {"system.paging.fault.type", "type"},
    {"system.paging.direction", "direction"},
    {"system.device", "device"},
    {"disk.io.direction", "direction"},
    {"system.filesystem.state", "state"},
    {"system.filesystem.type", "type"},
    {"system.filesystem.mode", "mode"},
    {"system.filesystem.mountpoint", "mountpoint"},
    {"network.interface.name", "device"},
    {"network.io.direction", "direction"},
    {"network.transport", "protocol"},
    {"network.connection.state", "state"},
    {"process.state", "status"},
    {"process.context_switch.type", "type"},
};

struct RenamedValue {
  std::string_view key;  // Of the conventions.
  std::string_view from, to;  // To nothing: the point is left out.
};

/// Of connections it counts those of TCP alone, in the states that gopsutil names.
constexpr RenamedValue kValues[] = {
    {"cpu.mode", "iowait", "wait"},
    {"system.memory.state", "buffers", "buffered"},
    {"system.paging.direction", "in", "page_in"},
    {"system.paging.direction", "out", "page_out"},
    {"network.transport", "udp", ""},
    {"network.connection.state", "established", "ESTABLISHED"},
    {"network.connection.state", "syn_sent", "SYN_SENT"},
    {"network.connection.state", "syn_received", "SYN_RECV"},
    {"network.connection.state", "fin_wait_1", "FIN_WAIT1"},
    {"network.connection.state", "fin_wait_2", "FIN_WAIT2"},
    {"network.connection.state", "time_wait", "TIME_WAIT"},
    {"network.connection.state", "closed", "CLOSE"},
    {"network.connection.state", "close_wait", "CLOSE_WAIT"},
    {"network.connection.state", "last_ack", "LAST_ACK"},
    {"network.connection.state", "listen", "LISTEN"},
    {"network.connection.state", "closing", "CLOSING"},
    {"process.state", "defunct", "zombies"},
};

}  // namespace

void CollectorNames::BeginEntity(std::span<const Attribute> attributes, UnixTime start) {
  LIMPET_CHECK(attributes.size() <= entity_.size());
  std::copy(attributes.begin(), attributes.end(), entity_.begin());
  for (Attribute& attribute : entity_) {
    if (attribute.key == "process.linux.cgroup") attribute.key = "process.cgroup";
  }
  sink_.BeginEntity(std::span(entity_).first(attributes.size()), start);
}

void CollectorNames::Begin(const Metric& metric) {
  const Row* const row = std::find_if(std::begin(kMetrics), std::end(kMetrics),
                                      [&](const Row& r) { return r.from == metric.name; });
  row_ = row != std::end(kMetrics) ? row : nullptr;
  if (row_ == nullptr) return sink_.Begin(metric);
  if (!row_->to.name.empty()) sink_.Begin(row_->to);
}

/// False: the point is left out.
bool CollectorNames::Rename(std::span<const Attribute>& attributes) {
  if (row_ == nullptr) return true;
  if (row_->to.name.empty()) return false;
  LIMPET_CHECK(attributes.size() <= point_.size());
  for (size_t i = 0; i < attributes.size(); ++i) {
    const Attribute& given = attributes[i];
    Attribute& attribute = point_[i] = given;
    for (const Renamed& key : kKeys) {
      if (key.from == given.key) attribute.key = key.to;
    }
    for (const RenamedValue& value : kValues) {
      if (value.key != given.key || value.from != given.text) continue;
      if (value.to.empty()) return false;
      attribute.text = value.to;
    }
    if (given.key == "cpu.logical_number") {
      cpu_.Clear();
      cpu_ << "cpu" << given.number;
      attribute = {attribute.key, cpu_.text()};
    }
  }
  attributes = std::span(point_).first(attributes.size());
  return true;
}

void CollectorNames::Int(std::span<const Attribute> attributes, int64_t value) {
  if (!Rename(attributes)) return;
  if (row_ != nullptr && row_->is_double) {
    sink_.Double(attributes, static_cast<double>(value));
  } else {
    sink_.Int(attributes, value);
  }
}

void CollectorNames::Double(std::span<const Attribute> attributes, double value) {
  if (Rename(attributes)) sink_.Double(attributes, value);
}

void CollectorNames::Histogram(std::span<const Attribute> attributes, std::span<const double> bounds,
                               std::span<const uint64_t> buckets, double sum) {
  if (Rename(attributes)) sink_.Histogram(attributes, bounds, buckets, sum);
}

}  // namespace limpet
