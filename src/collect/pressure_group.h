// The group `pressure`: how long tasks waited for CPU, memory and I/O.
#pragma once

#include <array>
#include <cstddef>

#include "collect/group.h"
#include "collect/points.h"
#include "collect/pressure.h"

namespace limpet {

class PressureGroup {
 public:
  /// kUnsupported: the kernel is older than 4.20, built without PSI, or started with psi=0.
  Status Collect(const GroupContext& context, Points& out);
  void Close(Files& files);

 private:
  static constexpr size_t kResources = 3;
  std::array<KeptFile, kResources> files_;
};

}  // namespace limpet
