#include "collect/sensor_group.h"

#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "collect/diskstats.h"
#include "collect/scan.h"
#include "collect/sysfs_value.h"
#include "limpet/limits.h"

namespace limpet {
namespace {

constexpr size_t kTextMax = 80;  // Of a device's text the beginning is enough, as it is of a line.

uint64_t Hash(std::string_view text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325 ^ seed;  // FNV-1a.
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

void Numbered(TextWriter& out, std::string_view pattern, uint16_t channel) {
  const size_t at = pattern.find('#');
  out << pattern.substr(0, at);
  if (at != std::string_view::npos) out << channel << pattern.substr(at + 1);
}

/// Moves those that are kept to the front, in order. Returns how many.
template <typename T, typename Keep>
size_t KeepIf(std::span<T> all, Keep keep) {
  size_t kept = 0;
  for (T& one : all) {
    if (!keep(one)) continue;
    all[kept++] = one;
  }
  return kept;
}

/// "temp1" of temp#_input.
void ChannelName(TextWriter& out, const SensorRule& rule, uint16_t channel) {
  Numbered(out, rule.file.substr(0, rule.file.find('_')), channel);
}

}  // namespace

/// The entries of a class: their names are summed up, and the devices noted when the table is built.
class SensorGroup::Entries final : public NameSink {
 public:
  Entries(SensorGroup& group, uint8_t in, std::string_view exclude, bool build)
      : group_(group), in_(in), exclude_(exclude), build_(build) {}
  void OnName(std::string_view name) override {
    const SensorClass& of = group_.classes_[in_];
    if (!AnyGlobMatches(of.entries, name) || (of.block && AnyGlobMatches(exclude_, name))) return;
    names += Hash(name, in_);
    if (build_) group_.AddDevice(in_, name);
  }
  uint64_t names = 0;

 private:
  SensorGroup& group_;
  const uint8_t in_;
  const std::string_view exclude_;
  const bool build_;
};

/// The files of a device: each is held against the rules.
class SensorGroup::FilesOfDevice final : public NameSink {
 public:
  FilesOfDevice(SensorGroup& group, RootFiles& root, uint8_t device) : group_(group), root_(root), device_(device) {}
  void OnName(std::string_view name) override {
    for (size_t i = 0; i < group_.rules_.size(); ++i) {
      const SensorRule& rule = group_.rules_[i];
      if (rule.in != group_.devices_[device_].in) continue;
      const auto channel = MatchNumbered(rule.file, name);
      if (!channel) continue;
      any = true;
      const Sensor sensor{.channel = *channel, .rule = static_cast<uint8_t>(i), .device = device_};
      if (group_.IsFor(root_, sensor)) group_.AddSensor(sensor);
    }
  }
  bool any = false;

 private:
  SensorGroup& group_;
  RootFiles& root_;
  const uint8_t device_;
};

Status SensorGroup::Collect(const GroupContext& context, Points& out) {
  const MonoTime now = context.clock.Monotonic();
  if (!built_ || now >= look_at_) {
    look_at_ = now + kLookAgain;
    uint64_t names = 0;
    looked_ = ListEntries(context, false, names);
    if (!built_ || stale_ || names != names_) Build(context);
    built_ = true;
    names_ = names;
  }
  if (sensor_count_ == 0) return looked_;

  const Metric* metric = nullptr;
  Status failed;
  bool any = false;
  for (Sensor& sensor : sensors_.first(sensor_count_)) {
    const SensorRule& rule = rules_[sensor.rule];
    Device& device = devices_[sensor.device];
    if (rule.in_state != SensorRule::kAnyState && rule.in_state != device.state) continue;
    const Result<int64_t> number = Read(context.root.files(), sensor.file, rule);
    const Result<int64_t> factor = rule.times.empty() || !number.ok()
                                       ? Result<int64_t>(1)
                                       : Read(context.root.files(), sensor.times, rule);
    // kUnsupported: the device answers, and does not know.
    Status status = number.ok() ? factor.status() : number.status();
    if (status.ok() && rule.metric->instrument == Instrument::kCounter && number.value() < 0) {
      status = {Code::kUnsupported, 0, "less than nothing"};
    }
    any |= status.ok() || status.code == Code::kUnsupported;
    if (rule.keeps_state) {
      device.state = status.ok() ? static_cast<int8_t>(number.value()) : SensorRule::kAnyState;
    }
    if (!status.ok() && status.code != Code::kUnsupported) {
      failed = {status.code, status.detail, classes_[rule.in].folder};
      stale_ |= status.code == Code::kNotFound;
    }
    if (!status.ok()) continue;
    if (metric != rule.metric) out.Begin(*rule.metric);
    metric = rule.metric;
    Emit(sensor, static_cast<double>(factor.value()), number.value(), out);
  }
  return any ? Status{} : failed;
}

void SensorGroup::Close(Files& files) {
  for (const Sensor& sensor : sensors_.first(sensor_count_)) {
    if (sensor.file >= 0) files.Close(sensor.file);
    if (sensor.times >= 0) files.Close(sensor.times);
  }
  sensor_count_ = 0;
}

Status SensorGroup::ListEntries(const GroupContext& context, bool build, uint64_t& names) {
  Status status{Code::kUnsupported, 0, classes_.front().folder};
  for (size_t i = 0; i < classes_.size(); ++i) {
    Entries entries(*this, static_cast<uint8_t>(i), context.options.exclude_devices, build);
    const Status listed = context.root.ListNames(classes_[i].folder, entries);
    names += entries.names;
    if (!listed.ok() && listed.code != Code::kNotFound) {
      status = {listed.code, listed.detail, classes_[i].folder};
    }
  }
  return status;
}

void SensorGroup::Build(const GroupContext& context) {
  RootFiles& root = context.root;
  Close(root.files());
  device_count_ = left_out_ = text_bytes_ = 0;
  stale_ = false;
  texts_[text_bytes_++] = '\0';
  uint64_t names = 0;
  (void)ListEntries(context, true, names);
  size_t kept = 0;
  for (size_t i = 0; i < device_count_; ++i) {
    devices_[kept] = devices_[i];
    if (Describe(root, static_cast<uint8_t>(kept))) {
      ++kept;
      continue;
    }
    sensor_count_ = KeepIf(sensors_.first(sensor_count_), [&](const Sensor& s) { return s.device != kept; });
  }
  device_count_ = kept;

  for (Sensor& sensor : sensors_.first(sensor_count_)) Settle(root, sensor);
  InsertionSort(sensors_.first(sensor_count_), [](const Sensor& a, const Sensor& b) {
    if (a.rule != b.rule) return a.rule < b.rule;
    return a.device != b.device ? a.device < b.device : a.channel < b.channel;
  });
  size_t before = 0;  // Of those that are kept.
  const auto is_new = [&](Sensor& sensor) {
    for (const Sensor& other : sensors_.first(before)) {
      if (Repeats(other, sensor)) return false;
    }
    return ++before != 0;
  };
  sensor_count_ = KeepIf(sensors_.first(sensor_count_), is_new);
  for (Sensor& sensor : sensors_.first(sensor_count_)) {
    // One that cannot be opened fails to be read as well, so that it is tried again.
    sensor.file = Open(root, sensor, rules_[sensor.rule].file);
    if (!rules_[sensor.rule].times.empty()) sensor.times = Open(root, sensor, rules_[sensor.rule].times);
  }
  if (left_out_ != 0 && !said_left_out_) {
    said_left_out_ = true;
    context.log.Warn("sensors are left out: too many, or a name that is not UTF-8",
                     {{"folder", classes_.front().folder},
                      {"left_out", left_out_},
                      {"at_most", sensors_.size()},
                      {"devices_at_most", devices_.size()}});
  }
  if (texts_full_ && !said_texts_full_) {
    said_texts_full_ = true;
    context.log.Warn("names and labels of sensors are left out: too much text",
                     {{"folder", classes_.front().folder}, {"bytes_at_most", texts_.size()}});
  }
}

void SensorGroup::AddDevice(uint8_t in, std::string_view entry) {
  const uint16_t text = device_count_ < devices_.size() ? AddText(entry) : uint16_t{0};
  if (text == 0) {
    ++left_out_;
    return;
  }
  Device device;
  device.entry = text;
  device.in = in;
  devices_[device_count_++] = device;
}

void SensorGroup::AddSensor(const Sensor& sensor) {
  if (sensor_count_ < sensors_.size()) {
    sensors_[sensor_count_++] = sensor;
    return;
  }
  ++left_out_;
  if (rules_[sensor.rule].limit) return;
  for (size_t i = sensor_count_; i-- > 0;) {
    if (!rules_[sensors_[i].rule].limit) continue;
    sensors_[i] = sensor;
    return;
  }
}

/// False: nothing of this device is reported.
bool SensorGroup::Describe(RootFiles& root, uint8_t index) {
  Device& device = devices_[index];
  const SensorClass& of = classes_[device.in];
  char buffer[kTextMax];
  if (!of.kind_file.empty() && !AnyGlobMatches(of.kinds, ReadText(root, device, of.kind_file, buffer))) {
    return false;
  }
  std::string_view parent;  // "coretemp.0" of "../../../coretemp.0".
  if (of.named_by_device) {
    TextBuffer<kPathMax> link;
    link << of.folder << '/' << Text(device.entry) << "/device";
    const Result<std::string_view> target = root.ReadLink(link.text(), buffer);
    if (target.ok()) parent = target.value().substr(target.value().rfind('/') + 1);
  }
  FilesOfDevice files(*this, root, index);
  TextBuffer<kPathMax> folder;
  AppendFolder(folder, device);
  (void)root.ListNames(folder.text(), files);
  if (!files.any && of.or_device) {
    device.in_device_folder = true;
    folder << "/device";
    (void)root.ListNames(folder.text(), files);
  }
  if (!files.any) return false;
  device.name = of.name_file.empty() ? device.entry : AddTextOf(root, device, of.name_file);
  if (device.name == 0) device.name = device.entry;
  device.id = of.named_by_device ? AddId(device, parent) : device.entry;
  if (device.id == 0) {
    ++left_out_;
    return false;
  }
  for (size_t i = 0; i < of.described.size(); ++i) {
    // Of two files for one attribute the first that says something.
    if (i != 0 && of.described[i].key == of.described[i - 1].key && device.described[i - 1] != 0) continue;
    device.described[i] = AddDescription(root, device, of.described[i]);
  }
  return true;
}

/// The same after a restart as far as the kernel's names are: of two chips of one name and device
/// the second has its entry's name too, as has one without a device. 0: there is none for it.
uint16_t SensorGroup::AddId(const Device& device, std::string_view parent) {
  TextBuffer<3 * kTextMax> id;
  id << Text(device.name);
  if (!parent.empty() && IsPlainText(parent)) id << '-' << parent;
  const auto same = [&](const Device& other) { return Text(other.id) == id.text(); };
  const std::span before = devices_.first(static_cast<size_t>(&device - devices_.data()));
  const auto taken = [&] { return std::any_of(before.begin(), before.end(), same); };
  if (parent.empty() || taken()) id << '-' << Text(device.entry);
  return taken() ? uint16_t{0} : AddText(id.text());
}

uint16_t SensorGroup::AddDescription(RootFiles& root, const Device& device,
                                     const SensorClass::Description& description) {
  if (description.unit.empty()) return AddTextOf(root, device, description.file);
  char buffer[kTextMax];
  const Result<int64_t> millionths = ParseSysfsNumber(ReadText(root, device, description.file, buffer));
  if (!millionths.ok()) return 0;
  TextBuffer<32> text;
  text.Double(static_cast<double>(millionths.value()) / 1e6) << description.unit;
  return AddText(text.text());
}

/// Does the rule want this one? Before it takes a place.
bool SensorGroup::IsFor(RootFiles& root, const Sensor& sensor) {
  const SensorRule& rule = rules_[sensor.rule];
  if (rule.where_file.empty()) return true;
  char buffer[kTextMax];
  TextBuffer<kTextMax> file;
  Numbered(file, rule.where_file, sensor.channel);
  return ReadText(root, devices_[sensor.device], file.text(), buffer) == rule.where_text;
}

/// The label of a sensor.
void SensorGroup::Settle(RootFiles& root, Sensor& sensor) {
  const SensorRule& rule = rules_[sensor.rule];
  if (!rule.channel_id) return;
  const Device& device = devices_[sensor.device];
  TextBuffer<kTextMax> file;
  if (!rule.label.empty()) {
    Numbered(file, rule.label, sensor.channel);
    sensor.location = AddTextOf(root, device, file.text());
  }
  if (sensor.location != 0) return;
  file.Clear();
  ChannelName(file, rule, sensor.channel);
  sensor.location = AddText(file.text());
}

/// Would both give the same point?
bool SensorGroup::Repeats(const Sensor& a, const Sensor& b) const {
  const SensorRule& first = rules_[a.rule];
  const SensorRule& second = rules_[b.rule];
  if (first.metric != second.metric || a.device != b.device) return false;
  if (first.channel_id && a.channel != b.channel) return false;
  const auto same = [](const Attribute& x, const Attribute& y) { return x.key == y.key && x.text == y.text; };
  return first.states.data() == second.states.data() &&
         std::equal(first.attributes.begin(), first.attributes.end(), second.attributes.begin(),
                    second.attributes.end(), same);
}

int SensorGroup::Open(RootFiles& root, const Sensor& sensor, std::string_view file) {
  TextBuffer<kPathMax> path;
  AppendFolder(path, devices_[sensor.device]);
  path << '/';
  Numbered(path, file, sensor.channel);
  const Result<int> opened = root.Open(path.text());
  return opened.ok() ? opened.value() : -1;
}

/// kUnsupported: the device does not know.
Result<int64_t> SensorGroup::Read(Files& files, int file, const SensorRule& rule) {
  if (file < 0) return {Code::kNotFound, 0, "open"};
  char buffer[kTextMax];
  const Result<size_t> size = files.ReadAt(file, 0, buffer);
  if (!size.ok()) return size.status();
  const std::string_view text(buffer, size.value());
  switch (rule.text) {
    case SensorRule::Text::kNumber: return ParseSysfsNumber(text);
    case SensorRule::Text::kLifeTimeA: return ParseLifeTime(text, 0);
    case SensorRule::Text::kLifeTimeB: return ParseLifeTime(text, 1);
    case SensorRule::Text::kSectors: {
      const Result<uint64_t> bytes = ParseDiskSize(text);
      if (!bytes.ok()) return bytes.status();
      return static_cast<int64_t>(bytes.value());
    }
    case SensorRule::Text::kWord: break;
  }
  for (const SensorRule::Word& word : rule.words) {
    if (word.text == WithoutNewline(text)) return int64_t{word.state};
  }
  return {Code::kUnsupported, 0, "word"};
}

void SensorGroup::Emit(const Sensor& sensor, double factor, int64_t number, Points& out) {
  const SensorRule& rule = rules_[sensor.rule];
  const Device& device = devices_[sensor.device];
  TextBuffer<4 * kTextMax> id;
  id << Text(device.id);
  if (rule.channel_id) ChannelName(id << ':', rule, sensor.channel);

  std::array<Attribute, 7 + kDescribed> attributes;
  size_t count = 0;
  const auto add = [&](const Attribute& attribute) { attributes[count++] = attribute; };
  add({"hw.id", id.text()});
  add({"hw.name", Text(device.name)});
  for (size_t i = 0; i < rule.described; ++i) {
    const SensorClass::Description& description = classes_[device.in].described[i];
    if (device.described[i] != 0) add({description.key, Text(device.described[i])});
  }
  if (sensor.location != 0) add({"hw.sensor_location", Text(sensor.location)});
  for (const Attribute& attribute : rule.attributes) add(attribute);
  const auto all = [&] { return std::span(attributes).first(count); };
  if (rule.text != SensorRule::Text::kWord) {
    if (rule.divisor == 0) return out.Int(all(), static_cast<uint64_t>(number));
    return out.Double(all(), static_cast<double>(number) * factor / rule.divisor);
  }
  const size_t common = count;
  for (size_t i = 0; i < rule.states.size(); ++i, count = common) {
    add({"hw.state", rule.states[i]});
    if (!rule.second_state_key.empty()) add({rule.second_state_key, rule.states[i]});
    out.Int(all(), static_cast<size_t>(number) == i ? 1 : 0);
  }
}

void SensorGroup::AppendFolder(TextWriter& path, const Device& device) const {
  const SensorClass& of = classes_[device.in];
  path << of.folder << '/' << Text(device.entry) << of.subfolder;
  if (device.in_device_folder) path << "/device";
}

/// Empty when it cannot be read or is no plain text.
std::string_view SensorGroup::ReadText(RootFiles& root, const Device& device, std::string_view file,
                                       std::span<char> into) {
  TextBuffer<kPathMax> path;
  AppendFolder(path, device);
  path << '/' << file;
  const Result<std::string_view> read = root.ReadValue(path.text(), into);
  if (!read.ok()) {
    stale_ |= read.status().code != Code::kNotFound;  // It may pass.
    return {};
  }
  const std::string_view text = Trim(WithoutNewline(read.value()));
  return IsPlainText(text) ? text : std::string_view();
}

uint16_t SensorGroup::AddTextOf(RootFiles& root, const Device& device, std::string_view file) {
  char buffer[kTextMax];
  return AddText(ReadText(root, device, file, buffer));
}

/// 0 when it is empty, no plain text, or there is no room. Equal texts are kept once.
uint16_t SensorGroup::AddText(std::string_view text) {
  if (text.empty() || !IsPlainText(text)) return 0;
  for (size_t at = 1; at < text_bytes_; at += Text(static_cast<uint16_t>(at)).size() + 1) {
    if (Text(static_cast<uint16_t>(at)) == text) return static_cast<uint16_t>(at);
  }
  if (text_bytes_ + text.size() + 1 > texts_.size()) {
    texts_full_ = true;
    return 0;
  }
  const size_t at = text_bytes_;
  std::copy(text.begin(), text.end(), texts_.begin() + static_cast<ptrdiff_t>(at));
  text_bytes_ += text.size();
  texts_[text_bytes_++] = '\0';
  return static_cast<uint16_t>(at);
}

}  // namespace limpet
