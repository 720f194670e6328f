// The group `process`: processes of given names, each a resource of its own. Its command line is
// never read further than its own name, since it can hold secrets.
#pragma once

#include <cstdint>

#include "collect/group.h"
#include "collect/process_walk.h"

namespace limpet {

class ProcessGroup final : public Group {
 public:
  explicit ProcessGroup(ProcessWalk& walk) : walk_(walk) {}
  Status Collect(const GroupContext& context, Points& out) override;

 private:
  ProcessWalk& walk_;
  bool said_left_out_ = false, said_denied_ = false;
};

}  // namespace limpet
