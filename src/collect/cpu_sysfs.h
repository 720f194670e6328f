// The small files of a CPU below /sys/devices/system/cpu/cpu<n>.
#pragma once

#include <cstdint>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// The first number of a list of CPUs such as "0-1", "0,64" or "3".
/// In topology/thread_siblings_list the CPUs of one core are listed by each of them; the one that
/// comes first stands for the core, so that counting those counts cores. This works on every
/// architecture with one small file per CPU; `physical id` and `core id` of /proc/cpuinfo are there
/// on x86 only.
/// kInvalid: it does not begin with a number.
Result<uint32_t> ParseFirstCpu(std::string_view text);

/// cpufreq/scaling_cur_freq: returns Hz (the file has kHz).
/// kInvalid: not one number ("<unknown>" included), or too large.
Result<uint64_t> ParseFrequency(std::string_view text);

}  // namespace limpet
