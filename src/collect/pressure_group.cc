#include "collect/pressure_group.h"

#include <string_view>

namespace limpet {
namespace {

constexpr Metric kStallTime{"system.linux.pressure.stall_time", "s", Instrument::kCounter};
constexpr Metric kAverage{"system.linux.pressure.average", "1", Instrument::kGauge};

constexpr std::array<std::string_view, kPressureWindows> kWindows = {"10s", "60s", "300s"};

}  // namespace

Status PressureGroup::Collect(const GroupContext& context, Points& out) {
  static constexpr std::array<const char*, kResources> kPaths = {
      "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"};
  std::array<Pressure, kResources> pressures;
  std::array<bool, kResources> known{};
  bool any = false;
  for (size_t i = 0; i < kResources; ++i) {
    const Result<std::string_view> text =
        files_[i].ReadWhole(context.root, {kPaths[i]}, context.buffer);
    if (text.status().code == Code::kNotFound) continue;
    if (!text.ok()) return text.status();
    const Result<Pressure> parsed = ParsePressure(text.value());
    if (!parsed.ok()) return parsed.status();
    pressures[i] = parsed.value();
    known[i] = any = true;
  }
  if (!any) return {Code::kUnsupported, 0, kPaths[0]};
  // For the CPU of a whole system `full` has no meaning: the kernel leaves the line out, or since
  // 5.13 writes zeros (psi.rst).
  struct Series {
    std::string_view resource, kind;
    const Stall& stall;
    bool known;
  };
  const Series all[] = {{"cpu", "some", pressures[0].some, known[0]},
                        {"memory", "some", pressures[1].some, known[1]},
                        {"memory", "full", pressures[1].full, pressures[1].has_full},
                        {"io", "some", pressures[2].some, known[2]},
                        {"io", "full", pressures[2].full, pressures[2].has_full}};
  constexpr std::string_view kResource = "system.linux.pressure.resource";
  constexpr std::string_view kKind = "system.linux.pressure.kind";
  constexpr std::string_view kWindow = "system.linux.pressure.window";
  out.Begin(kStallTime);
  for (const Series& s : all) {
    if (!s.known) continue;
    const double seconds = static_cast<double>(s.stall.total_us) / 1e6;
    out.Double({kResource, s.resource}, {kKind, s.kind}, seconds);
  }
  out.Begin(kAverage);
  for (const Series& s : all) {
    for (size_t i = 0; i < kPressureWindows && s.known; ++i) {
      const Attribute attributes[] = {
          {kResource, s.resource}, {kKind, s.kind}, {kWindow, kWindows[i]}};
      out.Double(attributes, s.stall.average[i]);
    }
  }
  return {};
}

void PressureGroup::Close(Files& files) {
  for (KeptFile& file : files_) file.Close(files);
}

}  // namespace limpet
