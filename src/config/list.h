// Goes through a comma separated list that is kept as one text.
#pragma once

#include <string_view>

#include "base/text.h"

namespace limpet {

/// `ListIterator it("a, b"); while (it.Next(element)) …`: elements without outer blanks, empty ones
/// are passed over.
class ListIterator {
 public:
  explicit ListIterator(std::string_view list) : rest_(list) {}

  /// False at the end; `element` is unchanged then.
  bool Next(std::string_view& element) {
    while (!rest_.empty()) {
      const std::string_view next = Trim(TakeUntil(rest_, ','));
      if (next.empty()) continue;
      element = next;
      return true;
    }
    return false;
  }

 private:
  std::string_view rest_;
};

}  // namespace limpet
