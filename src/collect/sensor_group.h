// What the groups of devices below /sys/class have in common: folders that come and go, with files
// of one value each. A group is two tables, where its devices are and which file is which metric.
//
// Files are opened once and read again by pread. Every kLookAgain the folders are listed; when a
// device has come or gone, also behind an open file (ENODEV), the whole table is built anew. So a new
// device has its points kLookAgain and an interval after it was plugged in at the latest, and two
// devices that follow one another under one name are not taken for each other: an old handle never
// reads a new device. Listing in each cycle would cost more than reading does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "collect/group.h"

namespace limpet {

/// A folder below /sys/class and how its devices are known.
struct SensorClass {
  /// A file that says more of a device: an attribute.
  struct Description {
    std::string_view key;
    std::string_view file;
    std::string_view unit = {};  ///< Not a text but millionths of this: "4400000" becomes "4.4Ah".
  };

  const char* folder;               ///< "/sys/class/hwmon".
  std::string_view entries;         ///< Comma separated patterns of the names in it.
  std::string_view subfolder = {};  ///< Where in an entry the files are.
  bool or_device = false;           ///< Or in `device`, where the entry itself has none of them.
  bool named_by_device = false;     ///< hw.id: of name and device, as the entry's number changes.
  bool block = false;               ///< `[host] exclude_devices` applies.
  std::string_view name_file = {};  ///< hw.name; the entry's name where there is none.
  std::string_view kind_file = {};  ///< Only devices whose text in this file
  std::string_view kinds = {};      ///< matches one of these patterns.
  std::span<const Description> described = {};
};

/// A file of a device and what is made of it.
struct SensorRule {
  enum class Text : uint8_t { kNumber, kSectors, kLifeTimeA, kLifeTimeB, kWord };
  /// A text of the kernel, and which of the states it means; one beyond them: none of them.
  struct Word {
    std::string_view text;
    uint8_t state;
  };
  static constexpr int8_t kAnyState = -1;

  uint8_t in = 0;                ///< Index of the class.
  std::string_view file;         ///< `#` is the number of a channel.
  const Metric* metric;
  double divisor = 0;            ///< 0: a point of int.
  Text text = Text::kNumber;
  std::span<const Attribute> attributes = {};  ///< At most two.
  uint8_t described = 0;         ///< With as many of the class's descriptions.
  bool channel_id = false;       ///< hw.id ends in ":temp1", and there is hw.sensor_location:
  std::string_view label = {};   ///< the text of this file, or else "temp1".
  std::string_view times = {};   ///< Multiplied by the number in this file.
  std::string_view where_file = {};  ///< Only where the text of this file
  std::string_view where_text = {};  ///< is this one.
  std::span<const Word> words = {};
  std::span<const std::string_view> states = {};  ///< A point for each, 1 for the one it is in.
  std::string_view second_state_key = {};  ///< Besides hw.state.
  bool keeps_state = false;      ///< The state is the device's, for:
  int8_t in_state = kAnyState;   ///< Only while the device is in this state.
  bool limit = false;            ///< Gives way to measurements where the table is full.
};

class SensorGroup : public Group {
 public:
  static constexpr Duration kLookAgain = Seconds(30);
  static constexpr size_t kDescribed = 5;

  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override;

 protected:
  // Texts are places in texts_; 0 is the empty one.
  struct Device {
    uint16_t entry = 0, id = 0, name = 0;
    std::array<uint16_t, kDescribed> described{};
    uint8_t in = 0;
    int8_t state = SensorRule::kAnyState;
    bool in_device_folder = false;
  };
  struct Sensor {
    int file = -1, times = -1;
    uint16_t channel = 0, location = 0;
    uint8_t rule = 0, device = 0;
  };

  /// S1: rules of one metric stand together; of two that give the same point the first counts.
  SensorGroup(std::span<const SensorClass> classes, std::span<const SensorRule> rules,
              std::span<Device> devices, std::span<Sensor> sensors, std::span<char> texts)
      : classes_(classes), rules_(rules), devices_(devices), sensors_(sensors), texts_(texts) {}
  ~SensorGroup() = default;

 private:
  class Entries;
  class FilesOfDevice;

  Status ListEntries(const GroupContext& context, bool build, uint64_t& names);
  void Build(const GroupContext& context);
  bool Describe(RootFiles& root, uint8_t index);
  void AddDevice(uint8_t in, std::string_view entry);
  void AddSensor(const Sensor& sensor);
  bool IsFor(RootFiles& root, const Sensor& sensor);
  void Settle(RootFiles& root, Sensor& sensor);
  bool Repeats(const Sensor& a, const Sensor& b) const;
  int Open(RootFiles& root, const Sensor& sensor, std::string_view file);
  static Result<int64_t> Read(Files& files, int file, const SensorRule& rule);
  void Emit(const Sensor& sensor, double factor, int64_t number, Points& out);

  void AppendFolder(TextWriter& path, const Device& device) const;
  std::string_view ReadText(RootFiles& root, const Device& device, std::string_view file,
                            std::span<char> into);
  std::string_view Text(uint16_t at) const { return texts_.data() + at; }
  uint16_t AddText(std::string_view text);
  uint16_t AddTextOf(RootFiles& root, const Device& device, std::string_view file);
  uint16_t AddId(const Device& device, std::string_view parent);
  uint16_t AddDescription(RootFiles& root, const Device& device,
                          const SensorClass::Description& description);

  const std::span<const SensorClass> classes_;
  const std::span<const SensorRule> rules_;
  const std::span<Device> devices_;
  const std::span<Sensor> sensors_;
  const std::span<char> texts_;  // Each ends with a NUL.
  size_t device_count_ = 0, sensor_count_ = 0, text_bytes_ = 0;
  size_t left_out_ = 0;
  bool said_left_out_ = false, texts_full_ = false, said_texts_full_ = false;

  MonoTime look_at_{};     // When the folders are listed again.
  uint64_t names_ = 0;     // Sum of the hashes of what was listed: their order does not matter.
  bool built_ = false;
  bool stale_ = false;     // A file has gone since, or a text could not be read.
  Status looked_;          // Why there is no sensor.
};

template <size_t kSensors, size_t kDevices, size_t kTextBytes>
class SensorGroupBuffer : public SensorGroup {
 public:
  static constexpr size_t kSensorsMax = kSensors;
  static_assert(kDevices <= 256 && kTextBytes <= 65536);

 protected:
  SensorGroupBuffer(std::span<const SensorClass> classes, std::span<const SensorRule> rules)
      : SensorGroup(classes, rules, device_storage_, sensor_storage_, text_storage_) {}
  ~SensorGroupBuffer() = default;

 private:
  std::array<Device, kDevices> device_storage_{};
  std::array<Sensor, kSensors> sensor_storage_{};
  std::array<char, kTextBytes> text_storage_{};
};

}  // namespace limpet
