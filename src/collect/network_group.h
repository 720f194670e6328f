// The group `network`: traffic of the network interfaces.
#pragma once

#include <array>

#include "collect/group.h"
#include "collect/net_dev.h"

namespace limpet {

class NetworkGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override { net_dev_.Close(files); }

 private:
  KeptFile net_dev_;
  std::array<Interface, kInterfacesMax> interfaces_{};
  bool said_interfaces_ = false;
};

}  // namespace limpet
