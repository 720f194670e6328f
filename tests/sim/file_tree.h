// Files that are written, renamed, truncated, deleted and made anew, as a log directory's are: names
// lead to inodes, numbers of inodes are given again, a deleted one lives as long as somebody has it open.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "limpet/files.h"

namespace limpet::sim {

class FileTree : public Files {
 public:
  virtual ~FileTree() = default;

  struct Inode {
    uint64_t number = 0;
    std::string contents;
    uint32_t links = 0, readers = 0;
  };
  using File = std::shared_ptr<Inode>;

  std::map<std::string, File> names;

  File Create(const std::string& path) {
    Unlink(path);
    auto file = std::make_shared<Inode>();
    // The lowest number that is free, as small filesystems do.
    for (file->number = 1; InUse(file->number);) ++file->number;
    file->links = 1;
    all_.push_back(file);
    names[path] = file;
    return file;
  }
  void Link(const std::string& from, const std::string& to) {
    Unlink(to);
    ++names.at(from)->links;
    names[to] = names.at(from);
  }
  void Unlink(const std::string& path) {
    const auto at = names.find(path);
    if (at == names.end()) return;
    --at->second->links;
    names.erase(at);
  }
  void Rename(const std::string& from, const std::string& to) {
    Link(from, to);
    Unlink(from);
  }
  /// What a process had open is closed.
  void EndProcess() {
    for (auto& [handle, file] : open_) --file->readers;
    open_.clear();
  }

  std::string secret;  ///< A name that may not be opened.

  Result<int> Open(std::string_view path) override {
    const auto at = names.find(std::string(path));
    if (at == names.end()) return Status{Code::kNotFound, 0, "open"};
    if (path == secret) return Status{Code::kDenied, 0, "open"};
    ++at->second->readers;
    open_[next_] = at->second;
    return next_++;
  }
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override {
    const std::string& text = open_.at(file)->contents;
    if (offset >= text.size()) return size_t{0};
    return text.copy(into.data(), into.size(), static_cast<size_t>(offset));
  }
  void Close(int file) override {
    --open_.at(file)->readers;
    open_.erase(file);
  }
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Result<FileFacts> Facts(int file) override { return Of(*open_.at(file)); }
  Result<FileFacts> FactsOf(std::string_view path) override {
    const auto at = names.find(std::string(path));
    if (at == names.end()) return Status{Code::kNotFound, 0, "stat"};
    return Of(*at->second);
  }
  Status ListNames(std::string_view path, NameSink& sink) override {
    const std::string prefix = std::string(path) + "/";
    const auto copy = names;
    for (const auto& [name, file] : copy) {
      if (name.starts_with(prefix) && name.find('/', prefix.size()) == std::string::npos) {
        sink.OnName(std::string_view(name).substr(prefix.size()));
      }
    }
    return {};
  }
  Result<std::string_view> ReadLink(std::string_view, std::span<char>) override {
    return Status{Code::kNotFound, 0, "readlink"};
  }
  size_t open_files() const { return open_.size(); }

 private:
  static FileFacts Of(const Inode& inode) {
    return {.device = 7, .inode = inode.number, .size = inode.contents.size(), .links = inode.links, .regular = true};
  }
  bool InUse(uint64_t number) {
    std::erase_if(all_, [](const File& file) { return file->links == 0 && file->readers == 0 && file.use_count() == 1; });
    for (const File& file : all_) {
      if (file->number == number && (file->links > 0 || file->readers > 0)) return true;
    }
    return false;
  }

  std::vector<File> all_;
  std::map<int, File> open_;
  int next_ = 3;
};

}  // namespace limpet::sim
