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

/// Copies a file to a new one, mode 0600.
Status CopyFile(std::string_view from, std::string_view to);

/// A missing file is no error.
Status RemoveFile(std::string_view path);

/// A file that is there as a whole or not at all: it gets its name at the end. Until then it is
/// "FILE.part", which stays behind when the process is ended, and gives way to the next.
class NewFile {
 public:
  NewFile() = default;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  /// Makes part(), empty, mode 0600; it is locked meanwhile. kExists, and `where` says it for people:
  /// something has the name, or another process makes it.
  Status Make(std::string_view path);
  std::string_view part() const { return part_.text(); }

  /// Empties part() for another attempt.
  Status Clear();
  Status Write(std::string_view bytes);

  /// part() becomes the file, and is on flash. kExists: something has got the name meanwhile; it stays.
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
