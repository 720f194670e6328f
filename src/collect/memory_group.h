// The group `memory`: what is used, free, cached; huge pages.
#pragma once

#include "collect/group.h"
#include "collect/meminfo.h"

namespace limpet {

class MemoryGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override { meminfo_.Close(files); }

 private:
  static void EmitHugePages(const MemInfo& info, Points& out);

  KeptFile meminfo_;
};

}  // namespace limpet
