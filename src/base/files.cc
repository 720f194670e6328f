#include "limpet/files.h"

namespace limpet {

Result<std::string_view> ReadWhole(Files& files, int file, std::span<char> into) {
  size_t size = 0;
  while (size < into.size()) {
    const Result<size_t> got = files.ReadAt(file, size, into.subspan(size));
    if (!got.ok()) return got.status();
    if (got.value() == 0) return std::string_view(into.data(), size);
    size += got.value();
  }
  // A full buffer is only right when the file ends here too.
  char more = 0;
  const Result<size_t> got = files.ReadAt(file, size, std::span<char>(&more, 1));
  if (!got.ok()) return got.status();
  if (got.value() != 0) return {Code::kFull, 0, "file is longer than its buffer"};
  return std::string_view(into.data(), size);
}

Result<std::string_view> ReadWhole(Files& files, std::string_view path, std::span<char> into) {
  const Result<int> file = files.Open(path);
  if (!file.ok()) return file.status();
  const Result<std::string_view> text = ReadWhole(files, file.value(), into);
  files.Close(file.value());
  return text;
}

}  // namespace limpet
