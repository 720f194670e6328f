// The group `cpu`: time by mode, processors and cores, their frequencies.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "collect/group.h"
#include "collect/proc_stat.h"

namespace limpet {

class CpuGroup final : public Group {
 public:
  /// Frequency files that are kept open, one for each CPU; CPUs beyond are left out.
  static constexpr size_t kFrequencyCpus = 256;

  CpuGroup() { frequency_file_.fill(kNotOpen); }
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override;

 private:
  static constexpr size_t kModes = 7;
  static constexpr int kNotOpen = -1;
  static constexpr int kAbsent = -2;

  void EmitTime(const CpuTicks& ticks, uint32_t user_hz, Points& out);
  void EmitTimeOfEach(std::string_view stat, uint32_t user_hz, Points& out);
  void EmitFrequencies(RootFiles& root, Points& out);
  void NoteOnlineCpus(const GroupContext& context, const ProcStat& stat);
  uint32_t CountCores(RootFiles& root);
  bool ReadFrequency(RootFiles& root, size_t cpu, uint64_t& hz);

  KeptFile stat_;
  std::array<uint64_t, kModes> mode_ticks_{};  // As last emitted.
  uint64_t busy_ = 0;                          // All of them but idle and iowait.
  struct GoesBack {
    uint64_t idle = 0, iowait = 0, busy = 0;
  };
  // The same of each CPU, for the Collector's names; of CPUs beyond they are as the kernel says.
  std::array<GoesBack, kFrequencyCpus> cpu_ticks_{};
  std::bitset<kCpusMax> online_;
  uint32_t cores_ = 0;  // Of online_; 0 = unknown.
  std::array<int, kFrequencyCpus> frequency_file_;
  size_t frequency_retry_ = 0;
  bool said_cpus_ = false;
};

}  // namespace limpet
