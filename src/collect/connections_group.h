// The group `connections`: sockets by transport, those of TCP by state.
#pragma once

#include <array>
#include <cstddef>

#include "collect/group.h"

namespace limpet {

class ConnectionsGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override;

 private:
  static constexpr size_t kFiles = 4;

  std::array<KeptFile, kFiles> files_;
};

}  // namespace limpet
