// Files of the host, read without buffers of our own.
#pragma once

#include "limpet/files.h"

namespace limpet {

class LinuxFiles final : public Files {
 public:
  Result<int> Open(std::string_view path) override;
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override;
  void Close(int file) override;
};

}  // namespace limpet
