// Files of the host, read without buffers of our own.
#pragma once

#include "config/load.h"
#include "limpet/files.h"

namespace limpet {

class LinuxFiles final : public Files {
 public:
  Result<int> Open(std::string_view path) override;
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override;
  void Close(int file) override;
};

/// Names in a directory, for `include`.
class LinuxDirectories final : public Directories {
 public:
  Status ListNames(std::string_view path, NameSink& sink) override;
};

}  // namespace limpet
