#include "limpet/status.h"

namespace limpet {

const char* CodeName(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kInvalid: return "invalid";
    case Code::kNotFound: return "not found";
    case Code::kFull: return "full";
    case Code::kUnavailable: return "unavailable";
    case Code::kDenied: return "permission denied";
    case Code::kIo: return "input/output error";
    case Code::kTimeout: return "timed out";
    case Code::kExists: return "in use";
    case Code::kUnsupported: return "not supported";
  }
  return "unknown";
}

}  // namespace limpet
