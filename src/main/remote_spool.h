// The database of a running process, read over its control socket, one state at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "limpet/limits.h"
#include "main/question.h"
#include "port/sqlite/remote_vfs.h"
#include "spool/spool_memory.h"

namespace limpet {

class RemoteSpool final : public RemoteFile {
 public:
  explicit RemoteSpool(Question& question) : question_(question) {}

  /// As RemoteFile says. kExists: a transaction was made since the first of these reads: begin anew,
  /// after Restart. Else as Question::Try; kUnavailable: the process has no spool to read, see refusal().
  Result<size_t> Read(uint64_t offset, std::span<uint8_t> into) override;
  Result<uint64_t> Size() override;

  /// Forgets what was read.
  void Restart();
  /// Why the last read failed.
  const Status& failed() const { return failed_; }
  /// What the process said when it could not.
  std::string_view refusal() const { return refusal_.text(); }

 private:
  static constexpr size_t kPieceBytes = SpoolMemory::FileBytes();
  struct Piece {
    uint64_t offset = 0, used = 0;  // used: when, the highest is the latest; 0: empty.
    size_t size = 0;
    std::array<uint8_t, kPieceBytes> bytes;
  };

  Result<const Piece*> Fetch(uint64_t offset);
  Status Ask(Piece& piece);

  Question& question_;
  std::array<Piece, 32> pieces_;
  uint64_t uses_ = 0;
  bool known_ = false;  // The two behind are.
  uint64_t generation_ = 0, size_ = 0;
  Status failed_;
  TextBuffer<256> refusal_;
};

}  // namespace limpet
