// The group `textfile`: files in the text format of Prometheus.
#pragma once

#include "collect/group.h"

namespace limpet {

class TextfileGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
