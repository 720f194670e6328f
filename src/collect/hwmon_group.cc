#include "collect/hwmon_group.h"

namespace limpet {
namespace {

constexpr Metric kTemperature{"hw.temperature", "Cel", Instrument::kGauge};
constexpr Metric kTemperatureLimit{"hw.temperature.limit", "Cel", Instrument::kGauge};
constexpr Metric kVoltage{"hw.voltage", "V", Instrument::kGauge};
constexpr Metric kVoltageLimit{"hw.voltage.limit", "V", Instrument::kGauge};
constexpr Metric kFanSpeed{"hw.fan.speed", "rpm", Instrument::kGauge};
constexpr Metric kFanSpeedLimit{"hw.fan.speed.limit", "rpm", Instrument::kGauge};
constexpr Metric kFanSpeedRatio{"hw.fan.speed_ratio", "1", Instrument::kGauge};
constexpr Metric kPower{"hw.power", "W", Instrument::kGauge};
constexpr Metric kEnergy{"hw.energy", "J", Instrument::kCounter};

constexpr Attribute kLowCritical[] = {{"hw.limit_type", "low.critical"}};
constexpr Attribute kLowDegraded[] = {{"hw.limit_type", "low.degraded"}};
constexpr Attribute kHighDegraded[] = {{"hw.limit_type", "high.degraded"}};
constexpr Attribute kHighCritical[] = {{"hw.limit_type", "high.critical"}};
constexpr Attribute kMax[] = {{"hw.limit_type", "max"}};
// A chip measures a rail and does not say whose it is.
constexpr Attribute kSupply[] = {{"hw.type", "power_supply"}};

// Numbers of hwmon change with the order in which drivers are loaded. Kernels before 3.15 and a few
// old drivers have the files in the device's folder.
constexpr SensorClass kClasses[] = {
    {.folder = "/sys/class/hwmon", .entries = "hwmon*", .or_device = true, .named_by_device = true,
     .name_file = "name"},
};

constexpr SensorRule Input(std::string_view file, const Metric& metric, double divisor,
                           std::string_view label, std::span<const Attribute> attributes = {}) {
  return {.file = file, .metric = &metric, .divisor = divisor, .attributes = attributes,
          .channel_id = true, .label = label};
}

constexpr SensorRule Limit(std::string_view file, const Metric& metric, double divisor,
                           std::string_view label, std::span<const Attribute> attributes) {
  return {.file = file, .metric = &metric, .divisor = divisor, .attributes = attributes,
          .channel_id = true, .label = label, .limit = true};
}

// Documentation/hwmon/sysfs-interface.rst in the Linux tree.
constexpr SensorRule kRules[] = {
    Input("temp#_input", kTemperature, 1000, "temp#_label"),
    Limit("temp#_lcrit", kTemperatureLimit, 1000, "temp#_label", kLowCritical),
    Limit("temp#_min", kTemperatureLimit, 1000, "temp#_label", kLowDegraded),
    Limit("temp#_max", kTemperatureLimit, 1000, "temp#_label", kHighDegraded),
    Limit("temp#_crit", kTemperatureLimit, 1000, "temp#_label", kHighCritical),
    Input("in#_input", kVoltage, 1000, "in#_label"),
    Limit("in#_lcrit", kVoltageLimit, 1000, "in#_label", kLowCritical),
    Limit("in#_min", kVoltageLimit, 1000, "in#_label", kLowDegraded),
    Limit("in#_max", kVoltageLimit, 1000, "in#_label", kHighDegraded),
    Limit("in#_crit", kVoltageLimit, 1000, "in#_label", kHighCritical),
    Input("fan#_input", kFanSpeed, 0, "fan#_label"),
    Limit("fan#_min", kFanSpeedLimit, 0, "fan#_label", kLowDegraded),
    Limit("fan#_max", kFanSpeedLimit, 0, "fan#_label", kMax),
    Input("pwm#", kFanSpeedRatio, 255, {}),
    Input("power#_input", kPower, 1e6, "power#_label", kSupply),
    Input("power#_average", kPower, 1e6, "power#_label", kSupply),
    Input("energy#_input", kEnergy, 1e6, "energy#_label", kSupply),
};

}  // namespace

HwmonGroup::HwmonGroup() : SensorGroupBuffer(kClasses, kRules) {}

}  // namespace limpet
