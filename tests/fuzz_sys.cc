// Fuzzes what reads /sys: the parsers of its small files, and whole groups of devices over folders
// and files of any content, whose points are texts and are there once. The first byte chooses.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "collect/cpu_sysfs.h"
#include "collect/diskstats.h"
#include "collect/host_collector.h"
#include "collect/scan.h"
#include "collect/sysfs_value.h"

namespace limpet {
namespace {

uint64_t Hash(std::string_view text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// The input is lines: names of devices and files, until an empty one, and then texts. Every folder
/// has all the names, every file has a text that follows from its path.
class World final : public Files, public Clock, public Log {
 public:
  explicit World(std::string_view input) {
    std::string_view rest = input;
    while (!rest.empty() && name_count_ < names_.size()) {
      const std::string_view name = TakeUntil(rest, '\n');
      if (name.empty()) break;
      const std::span before = std::span(names_).first(name_count_);
      if (std::find(before.begin(), before.end(), name) == before.end()) names_[name_count_++] = name;
    }
    while (!rest.empty() && text_count_ < texts_.size()) texts_[text_count_++] = TakeUntil(rest, '\n');
  }

  Result<int> Open(std::string_view path) override {
    if (text_count_ == 0) return {Code::kNotFound, 2, "open"};
    ++open_files;
    return static_cast<int>(Hash(path, turn) % text_count_);
  }
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override {
    const std::string_view text = texts_[(static_cast<size_t>(file) + turn) % text_count_];
    if (text == "gone") return {Code::kNotFound, 19, "read"};
    if (offset >= text.size()) return size_t{0};
    const size_t count = std::min(text.size() - static_cast<size_t>(offset), into.size());
    std::memcpy(into.data(), text.data() + offset, count);
    return count;
  }
  void Close(int) override { --open_files; }
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Status ListNames(std::string_view, NameSink& sink) override {
    for (size_t i = 0; i < name_count_; ++i) sink.OnName(names_[i]);
    return {};
  }
  Result<std::string_view> ReadLink(std::string_view, std::span<char> into) override {
    if (text_count_ == 0) return {Code::kNotFound, 2, "readlink"};
    const size_t count = std::min(texts_[turn % text_count_].size(), into.size());
    std::memcpy(into.data(), texts_[turn % text_count_].data(), count);
    return std::string_view(into.data(), count);
  }
  MonoTime Monotonic() override { return {static_cast<int64_t>(turn) * SensorGroup::kLookAgain.ns}; }
  UnixTime Wall() override { return {}; }
  Result<ClockDiscipline> Discipline() override { return ClockDiscipline{}; }
  void Write(Level, const char*, std::initializer_list<LogField>) override {}

  size_t turn = 0;
  int open_files = 0;

 private:
  std::array<std::string_view, 64> names_;
  std::array<std::string_view, 32> texts_;
  size_t name_count_ = 0, text_count_ = 0;
};

class Checked final : public MetricSink {
 public:
  void Begin(const Metric& metric) override { metric_ = metric.name; }
  void Int(std::span<const Attribute> attributes, int64_t) override { Check(attributes); }
  void Double(std::span<const Attribute> attributes, double) override { Check(attributes); }
  void Histogram(std::span<const Attribute>, std::span<const double>, std::span<const uint64_t>,
                 double) override {}

 private:
  void Check(std::span<const Attribute> attributes) {
    uint64_t identity = Hash(metric_, 0);
    for (size_t i = 0; i < attributes.size(); ++i) {
      LIMPET_CHECK(!attributes[i].text.empty() && IsPlainText(attributes[i].text));
      for (size_t k = 0; k < i; ++k) LIMPET_CHECK(attributes[k].key != attributes[i].key);
      identity = Hash(attributes[i].text, Hash(attributes[i].key, identity) + 1);
    }
    LIMPET_CHECK(count_ < seen_.size());  // 4 states of each of 256 sensors at most.
    const std::span before = std::span(seen_).first(count_);
    LIMPET_CHECK(std::find(before.begin(), before.end(), identity) == before.end());
    seen_[count_++] = identity;
  }

  std::string_view metric_;
  std::array<uint64_t, 1024> seen_;
  size_t count_ = 0;
};

char buffer[kProcFileBytes];

void RunGroup(HostGroup group, std::string_view input) {
  World world(input);
  {
    HostCollector collector({.groups = Bit(group), .exclude_devices = "sdb"}, world, world, world, buffer);
    for (; world.turn < 3; ++world.turn) {
      Checked sink;
      collector.Collect(sink);
    }
  }
  LIMPET_CHECK(world.open_files == 0);
}

void RunParsers(std::string_view text) {
  const Result<int64_t> a = ParseLifeTime(text, 0), b = ParseLifeTime(text, 1);
  LIMPET_CHECK(!a.ok() || (a.value() >= 0 && a.value() < 10));
  LIMPET_CHECK((a.status().code == Code::kInvalid) == (b.status().code == Code::kInvalid));
  const Result<uint64_t> frequency = ParseFrequency(text), size = ParseDiskSize(text);
  LIMPET_CHECK(!frequency.ok() || (frequency.value() % 1000 == 0 && frequency.value() >> 63 == 0));
  LIMPET_CHECK(!size.ok() || (size.value() % 512 == 0 && size.value() >> 63 == 0));
  // Where the others find a number, so does this one.
  LIMPET_CHECK(!size.ok() || ParseSysfsNumber(text).ok());
  (void)ParseFirstCpu(text);
  for (const std::string_view pattern : {"temp#_input", "pwm#", "temp"}) {
    const auto number = MatchNumbered(pattern, text);
    if (!number) continue;
    const size_t at = pattern.find('#');
    TextBuffer<32> name;
    name << pattern.substr(0, at);
    if (at != pattern.npos) name << *number << pattern.substr(at + 1);
    LIMPET_CHECK(name.text() == text);
  }
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: RunParsers(input); break;
    case 1: RunGroup(HostGroup::kThermal, input); break;
    case 2: RunGroup(HostGroup::kHwmon, input); break;
    case 3: RunGroup(HostGroup::kPower, input); break;
    default: RunGroup(HostGroup::kFlash, input); break;
  }
  return 0;
}
