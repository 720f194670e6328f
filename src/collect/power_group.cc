#include "collect/power_group.h"

namespace limpet {
namespace {

constexpr Metric kStatus{"hw.status", "1", Instrument::kUpDownCounter};
constexpr Metric kCharge{"hw.battery.charge", "1", Instrument::kGauge};
constexpr Metric kTimeLeft{"hw.battery.time_left", "s", Instrument::kGauge};
constexpr Metric kPower{"hw.power", "W", Instrument::kGauge};
constexpr Metric kUsage{"hw.power_supply.usage", "W", Instrument::kUpDownCounter};
constexpr Metric kVoltage{"hw.voltage", "V", Instrument::kGauge};
constexpr Metric kTemperature{"hw.temperature", "Cel", Instrument::kGauge};

constexpr Attribute kBatteryType[] = {{"hw.type", "battery"}};
constexpr Attribute kSupplyType[] = {{"hw.type", "power_supply"}};
constexpr Attribute kCharging[] = {{"hw.state", "ok"}, {"hw.battery.state", "charging"}};
constexpr Attribute kDischarging[] = {{"hw.state", "ok"}, {"hw.battery.state", "discharging"}};

enum : uint8_t { kBattery, kSupply };
enum : uint8_t { kIsCharging, kIsDischarging, kIsNeither };
enum : uint8_t { kIsOk, kIsDegraded, kIsFailed };

constexpr std::string_view kBatteryStates[] = {"charging", "discharging"};
constexpr std::string_view kHealthStates[] = {"ok", "degraded", "failed"};

// "Unknown" is in neither table: the device does not know, and no point says so.
constexpr SensorRule::Word kBatteryWords[] = {{"Charging", kIsCharging},
                                              {"Discharging", kIsDischarging},
                                              {"Not charging", kIsNeither},
                                              {"Full", kIsNeither}};
constexpr SensorRule::Word kHealthWords[] = {{"Good", kIsOk},
                                             {"Warm", kIsDegraded},
                                             {"Cool", kIsDegraded},
                                             {"Cold", kIsDegraded},
                                             {"Hot", kIsDegraded},
                                             {"Overheat", kIsDegraded},
                                             {"Over voltage", kIsDegraded},
                                             {"Over current", kIsDegraded},
                                             {"Calibration required", kIsDegraded},
                                             {"Watchdog timer expire", kIsDegraded},
                                             {"Safety timer expire", kIsDegraded},
                                             {"Unspecified failure", kIsFailed},
                                             {"No battery", kIsFailed},
                                             {"Dead", kIsFailed}};
// 2 is a charger whose voltage can be set.
constexpr SensorRule::Word kOnlineWords[] = {{"0", kIsFailed}, {"1", kIsOk}, {"2", kIsOk}};

// Serial numbers are left out: they tell one device from all others.
constexpr SensorClass::Description kBatteryDescribed[] = {
    {"hw.model", "model_name"},
    {"hw.vendor", "manufacturer"},
    {"hw.battery.chemistry", "technology"},
    {"hw.battery.capacity", "energy_full_design", "Wh"},
    {"hw.battery.capacity", "charge_full_design", "Ah"},
};
constexpr SensorClass::Description kSupplyDescribed[] = {{"hw.model", "model_name"},
                                                         {"hw.vendor", "manufacturer"}};

constexpr SensorClass kClasses[] = {
    {.folder = "/sys/class/power_supply", .entries = "*", .kind_file = "type", .kinds = "Battery, UPS",
     .described = kBatteryDescribed},
    {.folder = "/sys/class/power_supply", .entries = "*", .kind_file = "type",
     .kinds = "Mains, USB*, Wireless", .described = kSupplyDescribed},
};

// Documentation/ABI/testing/sysfs-class-power in the Linux tree: micro units, tenths of a degree.
constexpr SensorRule kRules[] = {
    {.in = kBattery, .file = "health", .metric = &kStatus, .text = SensorRule::Text::kWord,
     .attributes = kBatteryType, .described = 2, .words = kHealthWords, .states = kHealthStates},
    {.in = kBattery, .file = "status", .metric = &kStatus, .text = SensorRule::Text::kWord,
     .attributes = kBatteryType, .described = 2, .words = kBatteryWords, .states = kBatteryStates,
     .second_state_key = "hw.battery.state", .keeps_state = true},
    {.in = kSupply, .file = "online", .metric = &kStatus, .text = SensorRule::Text::kWord,
     .attributes = kSupplyType, .described = 2, .words = kOnlineWords, .states = kHealthStates},
    {.in = kBattery, .file = "capacity", .metric = &kCharge, .divisor = 100, .described = 5},
    {.in = kBattery, .file = "time_to_empty_now", .metric = &kTimeLeft, .divisor = 1,
     .attributes = kDischarging, .in_state = kIsDischarging},
    {.in = kBattery, .file = "time_to_empty_avg", .metric = &kTimeLeft, .divisor = 1,
     .attributes = kDischarging, .in_state = kIsDischarging},
    {.in = kBattery, .file = "time_to_full_now", .metric = &kTimeLeft, .divisor = 1,
     .attributes = kCharging, .in_state = kIsCharging},
    {.in = kBattery, .file = "time_to_full_avg", .metric = &kTimeLeft, .divisor = 1,
     .attributes = kCharging, .in_state = kIsCharging},
    {.in = kBattery, .file = "power_now", .metric = &kPower, .divisor = 1e6, .attributes = kBatteryType},
    {.in = kBattery, .file = "current_now", .metric = &kPower, .divisor = 1e12,
     .attributes = kBatteryType, .times = "voltage_now"},
    {.in = kSupply, .file = "power_now", .metric = &kUsage, .divisor = 1e6},
    {.in = kSupply, .file = "current_now", .metric = &kUsage, .divisor = 1e12, .times = "voltage_now"},
    {.in = kBattery, .file = "voltage_now", .metric = &kVoltage, .divisor = 1e6},
    {.in = kSupply, .file = "voltage_now", .metric = &kVoltage, .divisor = 1e6},
    {.in = kBattery, .file = "temp", .metric = &kTemperature, .divisor = 10},
};

}  // namespace

PowerGroup::PowerGroup() : SensorGroupBuffer(kClasses, kRules) {}

}  // namespace limpet
