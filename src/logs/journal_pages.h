// The parts of journal files that were read last, in fixed memory. What an entry consists of lies all over
// its file, and most of it is shared with entries before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/files.h"

namespace limpet {

class JournalPages {
 public:
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kPagesMax = 16;
  static constexpr size_t kBytes = kPagesMax * kPageBytes;

  /// memory: for at least one page; what is beyond kBytes is not used. Owned by the caller.
  JournalPages(Files& files, std::span<char> memory);
  JournalPages(const JournalPages&) = delete;
  JournalPages& operator=(const JournalPages&) = delete;

  /// Reads all of `into`. kInvalid: the file ends before. Otherwise as Files::ReadAt.
  Status Read(int file, uint64_t offset, std::span<uint8_t> into);

  /// The same from the file itself, which another process may have changed.
  Status ReadNow(int file, uint64_t offset, std::span<uint8_t> into);

  /// To be called when the file may have changed, and when it is closed.
  void Forget(int file);

  Files& files() { return files_; }

 private:
  struct Page {
    int file = -1;  // -1: none.
    uint64_t number = 0;
    size_t bytes = 0;  // Less than a page at the end of the file.
    uint64_t used = 0;
  };

  Result<size_t> Find(int file, uint64_t number);  // Its index.

  Files& files_;
  const std::span<char> memory_;
  const size_t count_;
  std::array<Page, kPagesMax> pages_;
  uint64_t uses_ = 0;
  size_t last_ = 0;
};

}  // namespace limpet
