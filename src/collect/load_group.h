// The group `load`: how many tasks run or wait, averaged.
#pragma once

#include "collect/group.h"

namespace limpet {

class LoadGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override { loadavg_.Close(files); }

 private:
  KeptFile loadavg_;
};

}  // namespace limpet
