// Whether a client may come in, by the header Authorization of its request.
#pragma once

#include <string_view>

namespace limpet {

class TokenCheck {
 public:
  /// authorization: the header's value, empty when there is none.
  virtual bool Allows(std::string_view authorization) = 0;

 protected:
  ~TokenCheck() = default;
};

}  // namespace limpet
