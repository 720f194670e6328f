// The groups of devices below /sys/class: the values of several hosts, devices that come and go,
// files that are missing, hostile, or cannot be read.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "collect/host_collector.h"
#include "collect/sysfs_value.h"
#include "collect_fixture.h"

namespace limpet {
namespace {

constexpr uint32_t kGroups = Bit(HostGroup::kThermal) | Bit(HostGroup::kHwmon) |
                             Bit(HostGroup::kPower) | Bit(HostGroup::kFlash);

struct Row {
  const char* name;
  std::string attributes;
  double value;
};

class SysTest : public testing::Test {
 protected:
  /// The files of the host, with the links that a checkout need not have.
  void Use(const std::string& host) {
    files_ = HostFiles(host, "");
    const std::pair<const char*, const char*> links[] = {
        {"rpi4-6.6/0", "../../thermal_zone0"},
        {"rpi4-6.6/1", "../../../raspberrypi-hwmon"},
        {"server-128cpu-6.1/0", "../../nvme0"},
        {"server-128cpu-6.1/1", "../../nvme1"},
        {"server-128cpu-6.1/2", "../../../nct6775.656"},
        {"server-128cpu-6.1/3", "../../../coretemp.0"},
        {"server-128cpu-6.1/4", "../../../coretemp.1"},
        {"server-128cpu-6.1/5", "../../../ACPI000D:00"},
        {"gateway-imx8-5.10/0", "../../../1-0040"},
        {"gateway-imx8-5.10/1", "../../../pwm-fan"},
    };
    for (const auto& [from, to] : links) {
      const std::string at(from);
      if (!at.starts_with(host + "/")) continue;
      files_.links["/sys/class/hwmon/hwmon" + at.substr(host.size() + 1) + "/device"] = to;
    }
  }
  HostCollector Make(uint32_t groups = kGroups, std::string_view exclude = "loop*, ram*, zram*") {
    return HostCollector({.groups = groups, .exclude_devices = exclude}, files_, clock_, log_, buffer_);
  }
  SeenPoints Cycle(HostCollector& collector) {
    SeenPoints sink;
    failed_ = collector.Collect(sink).failed;
    return sink;
  }
  /// The folders are listed again.
  void Later() { clock_.mono = clock_.mono + SensorGroup::kLookAgain; }

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
  uint32_t failed_ = 0;
};

/// All points of a group are these, in any order.
void ExpectRows(const SeenPoints& sink, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_DOUBLE_EQ(sink.Value(row.name, row.attributes), row.value) << row.name << " " << row.attributes;
  }
  EXPECT_EQ(sink.points.size(), rows.size());
  for (const SeenPoint& point : sink.points) {
    bool told = false;
    for (const Row& row : rows) told |= point.name == row.name && point.attributes == row.attributes;
    EXPECT_TRUE(told) << point.name << " " << point.attributes << " " << point.value;
  }
}

TEST_F(SysTest, ThermalZones) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make(Bit(HostGroup::kThermal));
  const std::string zero = "hw.id=thermal_zone0,hw.name=cpu-thermal";
  const std::string one = "hw.id=thermal_zone1,hw.name=soc-thermal";
  ExpectRows(Cycle(collector),
             {{"hw.temperature", zero, 51},
              {"hw.temperature", one, -4},
              {"hw.temperature.limit", zero + ",hw.limit_type=high.critical", 95},
              {"hw.temperature.limit", zero + ",hw.limit_type=high.degraded", 85},
              {"hw.temperature.limit", one + ",hw.limit_type=high.critical", 95},
              {"hw.temperature.limit", one + ",hw.limit_type=high.degraded", 85}});
}

TEST_F(SysTest, HotIsTheLimitWhereNothingIsPassive) {
  Use("gateway-imx8-5.10");
  files_.contents["/sys/class/thermal/thermal_zone1/trip_point_0_type"] = "active\n";
  HostCollector collector = Make(Bit(HostGroup::kThermal));
  EXPECT_EQ(Cycle(collector).Value("hw.temperature.limit",
                                   "hw.id=thermal_zone1,hw.name=soc-thermal,hw.limit_type=high.degraded"),
            90);
}

TEST_F(SysTest, ChipsOfABoard) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make(Bit(HostGroup::kHwmon));
  const auto at = [](const std::string& chip, const std::string& name, const std::string& channel,
                     const std::string& more = "") {
    return "hw.id=" + chip + ":" + channel + ",hw.name=" + name + ",hw.sensor_location=" + channel + more;
  };
  const auto ina = [&](const char* channel, const char* more = "") {
    return at("ina238-1-0040", "ina238", channel, more);
  };
  const auto fan = [&](const char* channel, const char* more = "") {
    return at("pwmfan-pwm-fan", "pwmfan", channel, more);
  };
  ExpectRows(Cycle(collector),
             {{"hw.temperature", ina("temp1"), 39.5},
              {"hw.temperature.limit", ina("temp1", ",hw.limit_type=high.degraded"), 100},
              {"hw.voltage", ina("in0"), 0.003},
              {"hw.voltage", ina("in1"), 12.056},
              {"hw.voltage.limit", ina("in0", ",hw.limit_type=low.degraded"), 0},
              {"hw.voltage.limit", ina("in1", ",hw.limit_type=low.degraded"), 9},
              {"hw.voltage.limit", ina("in0", ",hw.limit_type=high.degraded"), 0.163},
              {"hw.voltage.limit", ina("in1", ",hw.limit_type=high.degraded"), 15},
              {"hw.power", ina("power1", ",hw.type=power_supply"), 4.967072},
              {"hw.energy", ina("energy1", ",hw.type=power_supply"), 90123.456789},
              {"hw.fan.speed", fan("fan1"), 2850},
              {"hw.fan.speed.limit", fan("fan1", ",hw.limit_type=low.degraded"), 600},
              {"hw.fan.speed.limit", fan("fan1", ",hw.limit_type=max"), 5200},
              {"hw.fan.speed_ratio", fan("pwm1"), 128.0 / 255}});
}

TEST_F(SysTest, BatteryAndSupply) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make(Bit(HostGroup::kPower));
  const std::string maker = ",hw.model=bq27441,hw.vendor=Texas Instruments";
  const std::string battery = "hw.id=bq27441-0,hw.name=bq27441-0";
  const std::string is_battery = battery + maker + ",hw.type=battery";
  const std::string usb = "hw.id=usb,hw.name=usb";
  const std::string is_supply =
      usb + ",hw.model=tps65987d,hw.vendor=Texas Instruments,hw.type=power_supply,hw.state=";
  ExpectRows(
      Cycle(collector),
      {{"hw.status", is_battery + ",hw.state=ok", 1},
       {"hw.status", is_battery + ",hw.state=degraded", 0},
       {"hw.status", is_battery + ",hw.state=failed", 0},
       {"hw.status", is_battery + ",hw.state=charging,hw.battery.state=charging", 0},
       {"hw.status", is_battery + ",hw.state=discharging,hw.battery.state=discharging", 1},
       {"hw.status", is_supply + "ok", 1},
       {"hw.status", is_supply + "degraded", 0},
       {"hw.status", is_supply + "failed", 0},
       {"hw.battery.charge",
        battery + maker + ",hw.battery.chemistry=Li-ion,hw.battery.capacity=2.6Ah", 0.87},
       {"hw.battery.time_left", battery + ",hw.state=ok,hw.battery.state=discharging", 19800},
       {"hw.power", battery + ",hw.type=battery", -1.611744},
       {"hw.power_supply.usage", usb, 4.5},
       {"hw.voltage", battery, 3.912},
       {"hw.voltage", usb, 5},
       {"hw.temperature", battery, 27.4}});

  // Both capacities: one attribute.
  files_.contents["/sys/class/power_supply/bq27441-0/energy_full_design"] = "9620000\n";
  HostCollector both = Make(Bit(HostGroup::kPower));
  EXPECT_EQ(Cycle(both).Value("hw.battery.charge", battery + maker + ",hw.battery.chemistry=Li-ion,"
                                                   "hw.battery.capacity=9.62Wh"), 0.87);

  // Charging: the time left is that to full, and what the gauge says of empty is no time left.
  files_.contents["/sys/class/power_supply/bq27441-0/status"] = "Charging\n";
  SeenPoints sink = Cycle(collector);
  EXPECT_EQ(sink.Count("hw.battery.time_left"), 0u);
  EXPECT_EQ(sink.Value("hw.status",
                       is_battery + ",hw.state=charging,hw.battery.state=charging"), 1);
  files_.contents["/sys/class/power_supply/bq27441-0/status"] = "Unknown\n";
  EXPECT_EQ(Cycle(collector).Count("hw.status"), 6u);
  EXPECT_EQ(failed_, 0u);
}

TEST_F(SysTest, FlashOfABoardARouterAndAServer) {
  Use("gateway-imx8-5.10");
  {
    HostCollector collector = Make(Bit(HostGroup::kFlash));
    const std::string disk = "hw.id=mmcblk2,hw.name=mmcblk2";
    const std::string state = disk + ",hw.model=DG4016,hw.type=physical_disk,hw.state=";
    const std::string left = disk + ",hw.model=DG4016,hw.physical_disk.state=remaining,"
                                    "hw.physical_disk.endurance.type=";
    ExpectRows(Cycle(collector), {{"hw.status", state + "ok", 1},
                                  {"hw.status", state + "degraded", 0},
                                  {"hw.status", state + "predicted_failure", 0},
                                  {"hw.status", state + "failed", 0},
                                  {"hw.physical_disk.endurance_utilization", left + "a", 0.8},
                                  {"hw.physical_disk.endurance_utilization", left + "b", 0.9},
                                  {"hw.physical_disk.size", disk, 15634268160}});
  }
  Use("openwrt-mips-4.14");
  {
    HostCollector collector = Make(Bit(HostGroup::kFlash));
    const SeenPoints sink = Cycle(collector);
    const std::string ubi = "hw.id=ubi0,hw.name=ubi0", mtd = "hw.id=mtd3,hw.name=firmware";
    EXPECT_EQ(sink.Value("hw.status", ubi + ",hw.type=physical_disk,hw.state=ok"), 1);
    EXPECT_EQ(sink.Value("system.linux.ubi.erase_count.max", ubi), 1264);
    EXPECT_EQ(sink.Value("system.linux.ubi.blocks", ubi), 958);
    EXPECT_EQ(sink.Value("system.linux.ubi.bad_blocks", ubi), 2);
    EXPECT_EQ(sink.Value("system.linux.ubi.reserved_blocks", ubi), 18);
    EXPECT_EQ(sink.Value("system.linux.mtd.bad_blocks", mtd), 2);
    EXPECT_EQ(sink.Value("hw.errors", mtd + ",hw.type=physical_disk,error.type=ecc_corrected"), 17);
    EXPECT_EQ(sink.Value("hw.errors", mtd + ",hw.type=physical_disk,error.type=ecc_failed"), 0);
    EXPECT_EQ(sink.points.size(), 4u + 4 + 6 * 3);
  }
  Use("server-128cpu-6.1");
  {
    HostCollector collector = Make(Bit(HostGroup::kFlash), "nvme1n1");
    const SeenPoints sink = Cycle(collector);
    EXPECT_EQ(sink.Value("hw.status", "hw.id=nvme0,hw.name=nvme0,hw.model=SAMSUNG "
                                      "MZQL21T9HCJR-00A07,hw.type=physical_disk,hw.state=ok"), 1);
    EXPECT_EQ(sink.Value("hw.status", "hw.id=sda,hw.name=sda,hw.model=MG08ACA16TE,hw.vendor=ATA,"
                                      "hw.type=physical_disk,hw.state=ok"), 1);
    EXPECT_EQ(sink.Count("hw.physical_disk.size"), 2u);  // sda and nvme0n1, no partition.
  }
}

TEST_F(SysTest, EveryPointIsItsOwnAndMetricsStandTogether) {
  for (const char* host : {"rpi4-6.6", "openwrt-mips-4.14", "server-128cpu-6.1", "gateway-imx8-5.10",
                           "x86_64-vm-6.18", "server-2.6.32", "container-lxcfs"}) {
    for (const HostGroup group : {HostGroup::kThermal, HostGroup::kHwmon, HostGroup::kPower,
                                  HostGroup::kFlash}) {
      SCOPED_TRACE(std::string(host) + " " + std::string(HostGroupName(group)));
      Use(host);
      HostCollector collector = Make(Bit(group));
      const SeenPoints sink = Cycle(collector);
      EXPECT_EQ(failed_, 0u);
      std::set<std::string> seen, metrics;
      for (size_t i = 0; i < sink.points.size(); ++i) {
        const SeenPoint& point = sink.points[i];
        EXPECT_TRUE(seen.insert(point.name + "|" + point.attributes).second) << point.attributes;
        if (i == 0 || sink.points[i - 1].name != point.name) {
          EXPECT_TRUE(metrics.insert(point.name).second) << point.name;
        }
        EXPECT_EQ(point.keys[0], "hw.id");
        EXPECT_EQ(std::set(point.keys.begin(), point.keys.end()).size(), point.keys.size());
      }
    }
  }
  EXPECT_EQ(log_.Count("warn"), 0u);
}

TEST_F(SysTest, ChipsKeepTheirIdWhenTheirNumbersChange) {
  Use("server-128cpu-6.1");
  HostCollector collector = Make(Bit(HostGroup::kHwmon));
  const SeenPoints sink = Cycle(collector);
  EXPECT_EQ(sink.Value("hw.temperature",
                       "hw.id=coretemp-coretemp.1:temp1,hw.name=coretemp,hw.sensor_location=Package id 1"),
            53);
  EXPECT_EQ(sink.Value("hw.temperature",
                       "hw.id=nvme-nvme1:temp1,hw.name=nvme,hw.sensor_location=Composite"), 40.85);
  EXPECT_EQ(sink.Value("hw.power", "hw.id=power_meter-ACPI000D:00:power1,hw.name=power_meter,"
                                   "hw.sensor_location=power1,hw.type=power_supply"), 312);
  // Both without the link: the entry's name tells them apart.
  Use("rpi4-6.6");
  files_.links.clear();
  files_.contents["/sys/class/hwmon/hwmon1/name"] = "cpu_thermal\n";
  files_.contents["/sys/class/hwmon/hwmon1/temp1_input"] = "1\n";
  HostCollector other = Make(Bit(HostGroup::kHwmon));
  EXPECT_EQ(Cycle(other).Value("hw.temperature", "hw.id=cpu_thermal-hwmon1:temp1,hw.name=cpu_thermal,"
                                                 "hw.sensor_location=temp1"), 0.001);
}

TEST_F(SysTest, OldKernelsHaveTheFilesInTheDevicesFolder) {
  files_.contents["/sys/class/hwmon/hwmon0/device/name"] = "w83627hf\n";
  files_.contents["/sys/class/hwmon/hwmon0/device/temp1_input"] = "41000\n";
  files_.contents["/sys/class/hwmon/hwmon0/device/power1_average"] = "2000000\n";
  files_.contents["/sys/class/hwmon/hwmon0/device/power1_input"] = "3000000\n";
  files_.links["/sys/class/hwmon/hwmon0/device"] = "../../../w83627hf.656";
  HostCollector collector = Make(Bit(HostGroup::kHwmon));
  const std::string id = "hw.id=w83627hf-w83627hf.656:";
  ExpectRows(Cycle(collector),
             {{"hw.temperature", id + "temp1,hw.name=w83627hf,hw.sensor_location=temp1", 41},
              {"hw.power", id + "power1,hw.name=w83627hf,hw.sensor_location=power1,"
                                "hw.type=power_supply", 3}});
}

TEST_F(SysTest, DevicesComeAndGo) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make(Bit(HostGroup::kThermal));
  EXPECT_EQ(Cycle(collector).Count("hw.temperature"), 2u);
  const size_t open = files_.open_files();
  files_.contents["/sys/class/thermal/thermal_zone2/type"] = "usb-modem\n";
  files_.contents["/sys/class/thermal/thermal_zone2/temp"] = "61000\n";
  EXPECT_EQ(Cycle(collector).Count("hw.temperature"), 2u);
  Later();
  EXPECT_EQ(Cycle(collector).Value("hw.temperature", "hw.id=thermal_zone2,hw.name=usb-modem"), 61);
  EXPECT_EQ(files_.open_files(), open + 1);

  // It goes: nothing of it at once; and another takes its name: an id never has the other's value.
  files_.contents.erase("/sys/class/thermal/thermal_zone2/temp");
  EXPECT_EQ(Cycle(collector).Count("hw.temperature"), 2u);
  EXPECT_EQ(failed_, 0u);
  files_.contents["/sys/class/thermal/thermal_zone2/type"] = "usb-disk\n";
  files_.contents["/sys/class/thermal/thermal_zone2/temp"] = "30000\n";
  Later();
  EXPECT_EQ(Cycle(collector).Value("hw.temperature", "hw.id=thermal_zone2,hw.name=usb-disk"), 30);

  files_.contents.clear();
  EXPECT_TRUE(Cycle(collector).points.empty());
  EXPECT_EQ(failed_, Bit(HostGroup::kThermal));  // Until the folder is looked at again.
  Later();
  EXPECT_TRUE(Cycle(collector).points.empty());
  EXPECT_EQ(failed_, 0u);
  EXPECT_EQ(files_.open_files(), 0u);
  EXPECT_EQ(log_.Count("not available on this kernel"), 1u);
}

TEST_F(SysTest, NothingButReadsBetweenLooks) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make();
  const size_t points = Cycle(collector).points.size();
  files_.reads = 0;
  EXPECT_EQ(Cycle(collector).points.size(), points);
  EXPECT_LE(files_.reads, points);
  Later();
  files_.reads = 0;
  Cycle(collector);
  EXPECT_LE(files_.reads, points);  // Nothing has changed.
}

TEST_F(SysTest, OneThatCannotBeReadIsLeftOutAlone) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make(Bit(HostGroup::kThermal));
  for (const Code code : {Code::kUnavailable, Code::kIo, Code::kNotFound, Code::kDenied}) {
    files_.failing["/sys/class/thermal/thermal_zone1/temp"] = code;
    const SeenPoints sink = Cycle(collector);
    EXPECT_EQ(sink.Count("hw.temperature"), 1u);
    EXPECT_EQ(sink.Count("hw.temperature.limit"), 4u);
    EXPECT_EQ(failed_, 0u);
    Later();
  }
  files_.failing.clear();
  EXPECT_EQ(Cycle(collector).Count("hw.temperature"), 2u);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(SysTest, AGroupOfWhichNothingCanBeReadIsSaidOnce) {
  Use("gateway-imx8-5.10");
  HostCollector collector = Make(Bit(HostGroup::kThermal));
  for (const auto& [path, text] : files_.contents) files_.failing[path] = Code::kIo;
  for (int i = 0; i < 3; ++i, Later()) {
    EXPECT_TRUE(Cycle(collector).points.empty());
    EXPECT_EQ(failed_, Bit(HostGroup::kThermal));
  }
  EXPECT_EQ(log_.Count("warn a group of host metrics cannot be read group=thermal "
                       "where=/sys/class/thermal"), 1u);
  files_.failing.clear();
  Later();
  EXPECT_EQ(Cycle(collector).points.size(), 6u);
  EXPECT_EQ(log_.Count("can be read again"), 1u);

  files_.failing["/sys/class/hwmon"] = Code::kDenied;
  HostCollector denied = Make(Bit(HostGroup::kHwmon));
  Cycle(denied);
  EXPECT_EQ(failed_, Bit(HostGroup::kHwmon));
}

TEST_F(SysTest, HostileTexts) {
  const std::string long_line(64 * 1024, '7');
  struct Case {
    const char* name;
    std::string text;
    double value;  // NaN: no point.
  };
  const Case cases[] = {
      {"disconnected", "-273150\n", -273.15},   {"absurd, as it is said", "127000\n", 127},
      {"no newline", "1000", 1},                {"zero", "0\n", 0},
      {"empty", "", NAN},                       {"newline", "\n", NAN},
      {"a word", "N/A\n", NAN},                 {"a plus", "+1\n", NAN},
      {"two", "1 2\n", NAN},                    {"two lines", "1\n2\n", NAN},
      {"too large", "9223372036854775808\n", NAN},
      {"the largest", "9223372036854775807\n", 9223372036854775.807},
      {"a NUL", std::string("1\0\n", 3), NAN},  {"binary", "\xff\xfe\n", NAN},
      {"64 KiB", long_line, NAN},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    files_ = {};
    files_.contents["/sys/class/thermal/thermal_zone0/temp"] = c.text;
    files_.contents["/sys/class/thermal/thermal_zone1/temp"] = "1\n";
    HostCollector collector = Make(Bit(HostGroup::kThermal));
    const SeenPoints sink = Cycle(collector);
    const double value = sink.Value("hw.temperature", "hw.id=thermal_zone0,hw.name=thermal_zone0");
    EXPECT_EQ(std::isnan(value), std::isnan(c.value));
    if (!std::isnan(c.value)) { EXPECT_DOUBLE_EQ(value, c.value); }
    EXPECT_EQ(failed_, 0u);
  }
}

TEST_F(SysTest, NamesThatAreNoTexts) {
  for (const std::string& bad : {std::string("\xff"), std::string("a\nb"), std::string(),
                                 std::string(200, 'x') + "\xc3"}) {
    files_ = {};
    files_.contents["/sys/class/hwmon/hwmon0/name"] = bad + "\n";
    files_.contents["/sys/class/hwmon/hwmon0/temp1_input"] = "1000\n";
    files_.contents["/sys/class/hwmon/hwmon0/temp1_label"] = bad + "\n";
    files_.contents["/sys/class/hwmon/hwmon\xff/temp1_input"] = "1000\n";
    HostCollector collector = Make(Bit(HostGroup::kHwmon));
    const SeenPoints sink = Cycle(collector);
    ASSERT_EQ(sink.points.size(), 1u);
    if (bad.size() < 100) {
      EXPECT_EQ(sink.points[0].attributes,
                "hw.id=hwmon0-hwmon0:temp1,hw.name=hwmon0,hw.sensor_location=temp1");
    }
  }
  EXPECT_EQ(log_.Count("warn sensors are left out"), 4u);
}

TEST_F(SysTest, MeasurementsComeBeforeLimitsInAFullTable) {
  for (int chip = 0; chip < 3; ++chip) {
    const std::string base = "/sys/class/hwmon/hwmon" + std::to_string(chip) + "/";
    files_.contents[base + "name"] = "c\n";
    for (int i = 1; i <= 60; ++i) {
      for (const char* file : {"_crit", "_input", "_max"}) {
        files_.contents[base + "temp" + std::to_string(i) + file] = "50000\n";
      }
    }
  }
  HostCollector collector = Make(Bit(HostGroup::kHwmon));
  for (int i = 0; i < 2; ++i, Later()) {
    const SeenPoints sink = Cycle(collector);
    EXPECT_EQ(sink.points.size(), HwmonGroup::kSensorsMax);
    EXPECT_EQ(sink.Count("hw.temperature"), 180u);
  }
  EXPECT_EQ(log_.Count("warn sensors are left out: too many"), 1u);
  EXPECT_EQ(log_.Count("left_out=284 at_most=256"), 1u);
}

TEST_F(SysTest, TripPointsTakeAPlaceEach) {
  for (int zone = 0; zone < 30; ++zone) {
    const std::string base = "/sys/class/thermal/thermal_zone" + std::to_string(zone) + "/";
    files_.contents[base + "type"] = "z\n";
    files_.contents[base + "temp"] = "50000\n";
    int point = 0;
    for (const char* type : {"critical", "passive", "active"}) {
      const std::string trip = base + "trip_point_" + std::to_string(point++);
      files_.contents[trip + "_type"] = std::string(type) + "\n";
      files_.contents[trip + "_temp"] = "90000\n";
    }
  }
  HostCollector collector = Make(Bit(HostGroup::kThermal));
  const SeenPoints sink = Cycle(collector);
  EXPECT_EQ(sink.Count("hw.temperature"), 30u);
  EXPECT_EQ(sink.Count("hw.temperature.limit"), 60u);
  EXPECT_EQ(log_.Count("left out"), 0u);
}

TEST_F(SysTest, ACounterBelowNothingIsLeftOutAlone) {
  Use("openwrt-mips-4.14");
  files_.contents["/sys/class/mtd/mtd3/ecc_failures"] = "-1\n";
  HostCollector collector = Make(Bit(HostGroup::kFlash));
  const SeenPoints sink = Cycle(collector);
  const std::string mtd = "hw.id=mtd3,hw.name=firmware,hw.type=physical_disk,error.type=";
  EXPECT_TRUE(std::isnan(sink.Value("hw.errors", mtd + "ecc_failed")));
  EXPECT_FALSE(std::isnan(sink.Value("hw.errors", mtd + "ecc_corrected")));
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(SysTest, MoreTextThanThereIsRoomForIsSaid) {
  for (int chip = 0; chip < 32; ++chip) {
    const std::string base = "/sys/class/hwmon/hwmon" + std::to_string(chip) + "/";
    files_.contents[base + "name"] = "chip" + std::to_string(chip) + "\n";
    for (int i = 1; i <= 8; ++i) {
      const std::string channel = base + "temp" + std::to_string(i);
      files_.contents[channel + "_input"] = "50000\n";
      files_.contents[channel + "_label"] = "a label of this sensor " + std::to_string(chip * 8 + i) + "\n";
    }
  }
  HostCollector collector = Make(Bit(HostGroup::kHwmon));
  for (int i = 0; i < 2; ++i, Later()) EXPECT_EQ(Cycle(collector).Count("hw.temperature"), 256u);
  EXPECT_EQ(log_.Count("warn names and labels of sensors are left out"), 1u);
}

TEST(SysfsValue, Numbered) {
  struct Case {
    const char* pattern;
    const char* name;
    int number;  // -1: no match.
  };
  constexpr Case cases[] = {
      {"temp#_input", "temp1_input", 1},   {"temp#_input", "temp9999_input", 9999},
      {"temp#_input", "temp_input", -1},   {"temp#_input", "temp01_input", -1},
      {"temp#_input", "temp10000_input", -1}, {"temp#_input", "temp1x_input", -1},
      {"temp#_input", "temp-1_input", -1}, {"temp#_input", "temp1_inpu", -1},
      {"temp#_input", "", -1},             {"in#_input", "in0_input", 0},
      {"pwm#", "pwm1", 1},                 {"pwm#", "pwm1_enable", -1},
      {"pwm#", "pwm", -1},                 {"temp", "temp", 0},
      {"temp", "temp1", -1},               {"a#a", "a", -1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto got = MatchNumbered(c.pattern, c.name);
    EXPECT_EQ(got ? int{*got} : -1, c.number);
  }
}

TEST(SysfsValue, LifeTime) {
  struct Case {
    const char* text;
    Code code;
    int64_t a, b;
  };
  constexpr Case cases[] = {
      {"0x01 0x02\n", Code::kOk, 9, 8},  {"0x0a 0x0b\n", Code::kOk, 0, 0},
      {"0x05 0x06", Code::kOk, 5, 4},    {"0x00 0x00\n", Code::kUnsupported, 0, 0},
      {"0x0c 0x01\n", Code::kInvalid, 0, 0}, {"0x01\n", Code::kInvalid, 0, 0},
      {"", Code::kInvalid, 0, 0},        {"1 2\n", Code::kInvalid, 0, 0},
      {"0x 0x1\n", Code::kInvalid, 0, 0}, {"0x-1 0x1\n", Code::kInvalid, 0, 0},
      {"0x100 0x1\n", Code::kInvalid, 0, 0}, {"0x01 0x02 0x03\n", Code::kInvalid, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    for (int which = 0; which < 2; ++which) {
      const Result<int64_t> got = ParseLifeTime(c.text, which);
      EXPECT_EQ(got.status().code, c.code);
      if (got.ok()) { EXPECT_EQ(got.value(), which == 0 ? c.a : c.b); }
    }
  }
}

}  // namespace
}  // namespace limpet
