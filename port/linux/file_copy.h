// Files as the commands handle them whose work ends with a file: made, copied, renamed.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "limpet/limits.h"
#include "limpet/status.h"

namespace limpet {

/// Of a regular file, or what a link leads to. kNotFound, kDenied; kInvalid: it is something else.
Result<uint64_t> FileSize(std::string_view path);

/// The file's first byte; 0 also when it is empty or not there.
Result<uint8_t> FirstByte(std::string_view path);

/// Makes an empty file, mode 0600. kExists: something has this name.
Status MakeFile(std::string_view path);

/// Copies a file to a new one, mode 0600.
Status CopyFile(std::string_view from, std::string_view to);

/// Replaces `to`, and returns when the directory of `to` is on flash.
Status RenameFile(std::string_view from, std::string_view to);

/// A missing file is no error.
Status RemoveFile(std::string_view path);

/// A file that is there as a whole or not at all: it gets its name at the end.
class NewFile {
 public:
  NewFile() = default;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  /// Takes the name with an empty file, mode 0600. What is to be there is written to part() meanwhile.
  /// kExists: something has the name.
  Status Make(std::string_view path);
  std::string_view part() const { return part_.text(); }

  /// Opens part() for Write.
  Status Begin();
  Status Write(std::string_view bytes);

  /// part() becomes the file, and is on flash.
  Status Finish();

 private:
  TextBuffer<kPathMax> path_, part_;  // Empty: there is none, or it is finished.
  int file_ = -1;
};

/// A directory for this process alone, in $TMPDIR or /tmp, which goes with the object. It holds files
/// only.
class TemporaryFolder {
 public:
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { Remove(); }

  Status Make();
  void Remove();
  /// Empty: there is none.
  std::string_view path() const { return path_.text(); }

 private:
  TextBuffer<kPathMax> path_;
};

}  // namespace limpet
