// Who may come in.
#pragma once

#include <string_view>

namespace limpet {

class TokenCheck {
 public:
  /// authorization: the value of the request's header; empty: it has none.
  virtual bool Allows(std::string_view authorization) = 0;

 protected:
  ~TokenCheck() = default;
};

}  // namespace limpet
