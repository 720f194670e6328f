// Exit codes, as sysexits(3) numbers them.
#pragma once

namespace limpet {

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 64,
  kExitData = 65,
  kExitNoInput = 66,
  kExitUnavailable = 69,
  kExitInternal = 70,
  kExitCannotCreate = 73,
  kExitIo = 74,
  kExitTryAgain = 75,
  kExitPermission = 77,
  kExitConfig = 78,
};

}  // namespace limpet
