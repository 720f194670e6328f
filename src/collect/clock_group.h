// The groups `system` and `clock`: what the clocks say.
#pragma once

#include "collect/group.h"

namespace limpet {

/// How long the host is up.
class SystemGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

/// How well the kernel's wall clock is disciplined.
class ClockGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
