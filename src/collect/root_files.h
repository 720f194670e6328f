// The files of the host below a root: "/" itself, or where a container has it mounted.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "limpet/files.h"

namespace limpet {

class RootFiles {
 public:
  /// root: "/" or "/host"; must outlive this.
  RootFiles(Files& files, std::string_view root);

  /// True for "/": what is read is this process's own view of the system.
  bool is_own() const { return root_.empty(); }

  /// path: absolute, as seen from the root. kInvalid: too long together. Otherwise as Files::Open.
  Result<int> Open(std::string_view path);
  /// As the free function of this name.
  Result<std::string_view> ReadWhole(std::string_view path, std::span<char> into);
  /// A file of /sys with one value, which one read gives: its beginning where `into` is smaller.
  Result<std::string_view> ReadValue(std::string_view path, std::span<char> into);
  bool Exists(std::string_view path);
  /// As Files has them.
  Status ListNames(std::string_view path, NameSink& sink);
  Result<std::string_view> ReadLink(std::string_view path, std::span<char> into);

  Files& files() { return files_; }

 private:
  Files& files_;
  std::string_view root_;  // Without a slash at its end.
};

/// A file that is read again and again: it stays open, since opening costs more than reading, and
/// is opened anew in the cycle after a failure.
class KeptFile {
 public:
  /// Returns its handle, open already or anew. As ReadWhole; Close it when reading fails.
  Result<int> Open(RootFiles& root, std::initializer_list<const char*> candidates);
  /// Reads all of it. candidates: paths, literals; the first that can be opened is kept.
  /// A failure names the first of them in Status::where. cut: of a longer one the lines that fit, and true.
  Result<std::string_view> ReadWhole(RootFiles& root, std::initializer_list<const char*> candidates,
                                     std::span<char> into, bool* cut = nullptr);
  void Close(Files& files);

 private:
  int handle_ = -1;
};

}  // namespace limpet
