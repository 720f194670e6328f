#include "collect/root_files.h"

#include "base/text.h"
#include "limpet/limits.h"

namespace limpet {

RootFiles::RootFiles(Files& files, std::string_view root) : files_(files), root_(root) {
  while (root_.ends_with('/')) root_.remove_suffix(1);
}

Result<int> RootFiles::Open(std::string_view path) {
  TextBuffer<kPathMax> whole;
  whole << root_ << path;
  if (whole.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  return files_.Open(whole.text());
}

Result<std::string_view> RootFiles::ReadWhole(std::string_view path, std::span<char> into) {
  const Result<int> file = Open(path);
  if (!file.ok()) return file.status();
  const Result<std::string_view> text = limpet::ReadWhole(files_, file.value(), into);
  files_.Close(file.value());
  return text;
}

Result<std::string_view> RootFiles::ReadValue(std::string_view path, std::span<char> into) {
  const Result<int> file = Open(path);
  if (!file.ok()) return file.status();
  const Result<size_t> size = files_.ReadAt(file.value(), 0, into);
  files_.Close(file.value());
  if (!size.ok()) return size.status();
  return std::string_view(into.data(), size.value());
}

bool RootFiles::Exists(std::string_view path) {
  const Result<int> file = Open(path);
  if (!file.ok()) return file.status().code == Code::kDenied;
  files_.Close(file.value());
  return true;
}

Status RootFiles::ListNames(std::string_view path, NameSink& sink) {
  TextBuffer<kPathMax> whole;
  whole << root_ << path;
  if (whole.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  return files_.ListNames(whole.text(), sink);
}

Result<std::string_view> RootFiles::ReadLink(std::string_view path, std::span<char> into) {
  TextBuffer<kPathMax> whole;
  whole << root_ << path;
  if (whole.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  return files_.ReadLink(whole.text(), into);
}

Result<int> KeptFile::Open(RootFiles& root, std::initializer_list<const char*> candidates) {
  Status failed;
  for (const char* const path : candidates) {
    if (handle_ >= 0) break;
    const Result<int> file = root.Open(path);
    if (file.ok()) handle_ = file.value();
    failed = file.status();
  }
  if (handle_ >= 0) return handle_;
  return {failed.code, failed.detail, *candidates.begin()};
}

Result<std::string_view> KeptFile::ReadWhole(RootFiles& root,
                                             std::initializer_list<const char*> candidates,
                                             std::span<char> into, bool* cut) {
  const Result<int> file = Open(root, candidates);
  if (!file.ok()) return file.status();
  const Result<std::string_view> text = limpet::ReadWhole(root.files(), file.value(), into);
  if (text.ok()) return text;
  if (cut != nullptr && text.status().code == Code::kFull) {
    *cut = true;
    const std::string_view read(into.data(), into.size());
    return read.substr(0, read.rfind('\n') + 1);
  }
  Close(root.files());
  return {text.status().code, text.status().detail, *candidates.begin()};
}

void KeptFile::Close(Files& files) {
  if (handle_ >= 0) files.Close(handle_);
  handle_ = -1;
}

}  // namespace limpet
