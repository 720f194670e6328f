// The group `pressure`: how long tasks waited for CPU, memory and I/O.
#pragma once

#include <array>
#include <cstddef>

#include "collect/group.h"
#include "collect/pressure.h"

namespace limpet {

class PressureGroup final : public Group {
 public:
  /// kUnsupported: the kernel is older than 4.20, built without PSI, or started with psi=0.
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override;

 private:
  static constexpr size_t kResources = 3;
  std::array<KeptFile, kResources> files_;
};

}  // namespace limpet
