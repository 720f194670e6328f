#include "port/linux/error.h"

#include <cerrno>

namespace limpet {

Status FromErrno(int error, const char* where) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO: return {Code::kNotFound, error, where};
    case EACCES:
    case EPERM:
    case EROFS: return {Code::kDenied, error, where};
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC: return {Code::kFull, error, where};
    case EAGAIN: return {Code::kUnavailable, error, where};
    case EADDRINUSE:
    case EEXIST: return {Code::kExists, error, where};
    case ETIMEDOUT: return {Code::kTimeout, error, where};
    case EOPNOTSUPP: return {Code::kUnsupported, error, where};
    case EINVAL:
    case ENAMETOOLONG: return {Code::kInvalid, error, where};
    default: return {Code::kIo, error, where};
  }
}

}  // namespace limpet
