// Files in memory that are read as the kernel has them read.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "limpet/files.h"

namespace limpet {

/// One that is open stays there when its name goes or is another's.
class InodeFiles final : public Files {
 public:
  std::map<std::string, std::shared_ptr<std::string>> names;
  size_t opens = 0;

  void Write(const std::string& path, const std::string& bytes) {
    auto& file = names[path];
    if (!file) file = std::make_shared<std::string>();
    *file = bytes;
  }
  void Rename(const std::string& from, const std::string& to) {
    names[to] = names.at(from);
    names.erase(from);
  }
  size_t open() const { return open_.size(); }

  Result<int> Open(std::string_view path) override {
    const auto it = names.find(std::string(path));
    if (it == names.end()) return {Code::kNotFound, 2, "open"};
    ++opens;
    open_[next_] = it->second;
    return next_++;
  }
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override {
    const std::string& text = *open_.at(file);
    if (offset >= text.size()) return size_t{0};
    return text.copy(into.data(), into.size(), static_cast<size_t>(offset));
  }
  void Close(int file) override { open_.erase(file); }
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Status ListNames(std::string_view path, NameSink& sink) override {
    std::set<std::string> found;
    const std::string prefix = std::string(path) + "/";
    for (const auto& [name, file] : names) {
      if (name.starts_with(prefix)) found.insert(name.substr(prefix.size(), name.find('/', prefix.size()) - prefix.size()));
    }
    if (found.empty()) return {Code::kNotFound, 2, "list"};
    for (const std::string& name : found) sink.OnName(name);
    return {};
  }
  Result<std::string_view> ReadLink(std::string_view, std::span<char>) override {
    return {Code::kInvalid, 22, "readlink"};
  }

 private:
  std::map<int, std::shared_ptr<std::string>> open_;
  int next_ = 3;
};

}  // namespace limpet
