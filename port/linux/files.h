// Files of the host, read without buffers of our own.
#pragma once

#include "limpet/files.h"

namespace limpet {

class LinuxFiles final : public Files {
 public:
  Result<int> Open(std::string_view path) override;
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override;
  Result<size_t> Read(int file, std::span<char> into) override;
  void Close(int file) override;
  bool HasChanged(int file) override;
  Result<UnixTime> ModifiedAt(int file) override;
  Result<FileFacts> Facts(int file) override;
  Result<FileFacts> FactsOf(std::string_view path) override;
  Status ListNames(std::string_view path, NameSink& sink) override;
  Result<std::string_view> ReadLink(std::string_view path, std::span<char> into) override;
};

}  // namespace limpet
