#include "collect/thermal_group.h"

namespace limpet {
namespace {

constexpr Metric kTemperature{"hw.temperature", "Cel", Instrument::kGauge};
constexpr Metric kTemperatureLimit{"hw.temperature.limit", "Cel", Instrument::kGauge};

constexpr Attribute kCritical[] = {{"hw.limit_type", "high.critical"}};
constexpr Attribute kDegraded[] = {{"hw.limit_type", "high.degraded"}};

constexpr SensorClass kClasses[] = {
    {.folder = "/sys/class/thermal", .entries = "thermal_zone*", .name_file = "type"},
};

constexpr SensorRule Trip(std::string_view type, std::span<const Attribute> attributes) {
  return {.file = "trip_point_#_temp",
          .metric = &kTemperatureLimit,
          .divisor = 1000,
          .attributes = attributes,
          .where_file = "trip_point_#_type",
          .where_text = type,
          .limit = true};
}

// At critical the kernel shuts down; at passive it begins to slow down, at hot it only tells, so that
// hot is the limit where there is no passive one. Active ones start fans and are no limits.
constexpr SensorRule kRules[] = {
    {.file = "temp", .metric = &kTemperature, .divisor = 1000},
    Trip("critical", kCritical),
    Trip("passive", kDegraded),
    Trip("hot", kDegraded),
};

}  // namespace

ThermalGroup::ThermalGroup() : SensorGroupBuffer(kClasses, kRules) {}

}  // namespace limpet
