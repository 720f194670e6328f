// A source that the program has besides those of its configuration. The product has none; a program
// that is built for tests defines this function with another (tests/generator).
#pragma once

#include <cstddef>

namespace limpet {

class Source;

struct ExtraSource {
  Source* source = nullptr;
  size_t logs_slab_bytes = 0;  ///< What its open batch of logs needs.
};

ExtraSource FindExtraSource();

}  // namespace limpet
