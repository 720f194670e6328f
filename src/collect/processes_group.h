// The group `processes`: how many processes there are, by state.
#pragma once

#include "collect/group.h"
#include "collect/process_walk.h"

namespace limpet {

class ProcessesGroup final : public Group {
 public:
  explicit ProcessesGroup(ProcessWalk& walk) : walk_(walk) {}
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override;

 private:
  ProcessWalk& walk_;
  KeptFile stat_, threads_max_, pid_max_;
};

}  // namespace limpet
