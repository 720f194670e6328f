#include "main/remote_spool.h"

#include <algorithm>
#include <cstring>

#include "serve/spool_routes.h"

namespace limpet {
namespace {

constexpr Duration kTimeout = Seconds(30);  // Flash may stand still for seconds.
constexpr int kAtOnce = 3;                  // So often it is asked again without a pause.
constexpr Duration kPauseMax = Milliseconds(20);

}  // namespace

void RemoteSpool::Restart() {
  for (Piece& piece : pieces_) piece.used = 0;
  known_ = false;
  failed_ = {};
}

Result<size_t> RemoteSpool::Read(uint64_t offset, std::span<uint8_t> into) {
  size_t got = 0;
  while (got < into.size()) {
    const uint64_t at = offset + got;
    const Result<const Piece*> piece = Fetch(at / kPieceBytes * kPieceBytes);
    if (!piece.ok()) return piece.status();
    const size_t skip = static_cast<size_t>(at % kPieceBytes);
    if (skip >= piece.value()->size) break;
    const size_t count = std::min(into.size() - got, piece.value()->size - skip);
    std::memcpy(into.data() + got, piece.value()->bytes.data() + skip, count);
    got += count;
  }
  return got;
}

Result<uint64_t> RemoteSpool::Size() {
  if (!known_) {
    const Result<const Piece*> first = Fetch(0);
    if (!first.ok()) return first.status();
  }
  return size_;
}

Result<const RemoteSpool::Piece*> RemoteSpool::Fetch(uint64_t offset) {
  Piece* oldest = &pieces_[0];
  for (Piece& piece : pieces_) {
    if (piece.used > 0 && piece.offset == offset) {
      piece.used = ++uses_;
      return &piece;
    }
    if (piece.used < oldest->used) oldest = &piece;
  }
  oldest->used = 0;
  oldest->offset = offset;
  if (failed_.ok()) failed_ = Ask(*oldest);
  if (!failed_.ok()) return failed_;
  oldest->used = ++uses_;
  return oldest;
}

Status RemoteSpool::Ask(Piece& piece) {
  TextBuffer<64> target;
  target << "/spool/file?offset=" << piece.offset;
  const MonoTime deadline = question_.now() + kTimeout;
  Duration pause = Milliseconds(1);
  for (int times = 0;; ++times) {
    const Result<ControlAnswer> got = question_.Try("GET", target.text());
    if (!got.ok()) return got.status();
    const std::string_view body = got.value().body;
    if (got.value().status == 202) {
      if (question_.now() >= deadline) return {Code::kTimeout, 0, "the spool"};
      if (times < kAtOnce) continue;
      question_.Pause(pause);
      pause = std::min(pause + pause, kPauseMax);
      continue;
    }
    if (got.value().status != 200 || body.size() < SpoolFileHead::kBytes ||
        body.size() > SpoolFileHead::kBytes + kPieceBytes) {
      refusal_.Clear();
      refusal_ << Trim(body.substr(0, body.find('\n')));
      return {Code::kUnavailable, got.value().status, "the spool"};
    }
    const SpoolFileHead head = SpoolFileHead::Read(body);
    if (known_ && head.generation != generation_) return {Code::kExists, 0, "another state"};
    known_ = true;
    generation_ = head.generation;
    size_ = head.size;
    piece.size = body.size() - SpoolFileHead::kBytes;
    std::memcpy(piece.bytes.data(), body.data() + SpoolFileHead::kBytes, piece.size);
    return {};
  }
}

}  // namespace limpet
