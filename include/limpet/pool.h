// A pool of fixed size as people see it in status and metrics.
#pragma once

#include <cstddef>
#include <string_view>

namespace limpet {

struct PoolUse {
  std::string_view name;
  size_t bytes = 0;     ///< Its size, fixed at start.
  size_t used = 0;      ///< Now.
  size_t peak = 0;      ///< The most since start.
  size_t refused = 0;   ///< Requests it had no room for.
};

}  // namespace limpet
