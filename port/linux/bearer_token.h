// The token that clients of a listener need, out of a file.
#pragma once

#include <array>
#include <string_view>

#include "limpet/log.h"
#include "limpet/time.h"
#include "limpet/token_check.h"
#include "port/linux/secret_file.h"

namespace limpet {

/// Nobody is let in as long as the file has never held a token; what it held stays in force until it holds
/// another. Either state is logged once when it begins and once when it ends.
class BearerToken final : public TokenCheck {
 public:
  BearerToken(Clock& clock, Log& log) : clock_(clock), log_(log) {}
  BearerToken(const BearerToken&) = delete;
  BearerToken& operator=(const BearerToken&) = delete;

  /// Reads the file. kInvalid: the path; that the file holds none is no error, and is logged.
  Status Start(std::string_view path);

  /// "Bearer TOKEN". How long it takes depends on the length of the token, not on its bytes.
  bool Allows(std::string_view authorization) override;

 private:
  void Refresh();

  Clock& clock_;
  Log& log_;
  SecretFile file_;
  std::array<char, SecretFile::kBytesMax + 1> room_{};
  bool good_ = true;
};

}  // namespace limpet
