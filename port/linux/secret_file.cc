#include "port/linux/secret_file.h"

#include <algorithm>
#include <cstring>

namespace limpet {

Status SecretFile::Init(std::string_view path, std::span<char> room) {
  LIMPET_CHECK(room.size() > 1);
  room_ = room;
  room_[0] = '\0';
  return file_.Name(path);
}

bool SecretFile::Refresh(MonoTime now) {
  if (now < next_look_) return false;
  next_look_ = now + kLookEvery;
  bool changed = false;
  status_ = Read(changed);
  return changed;
}

void SecretFile::Distrust() {
  next_look_ = {};
  file_.Forget();
}

Status SecretFile::Read(bool& changed) {
  bool touched = false;
  const Result<int> opened = file_.Open(touched);
  if (!opened.ok()) return opened.status();
  const OpenFile open(opened.value());
  if (!touched) return content_;
  // Bad or good, it need not be read again until it changes.
  content_ = Take(open, changed);
  if (content_.code != Code::kIo) file_.Accept();
  return content_;
}

Status SecretFile::Take(const OpenFile& file, bool& changed) {
  uint8_t bytes[kBytesMax + 2];  // With the end of its line.
  const size_t most = std::min(room_.size() - 1, kBytesMax);
  const Result<size_t> got = file.Read(std::span(bytes).first(most + 2));
  if (got.status().code == Code::kFull) return {Code::kFull, 0, "it is too long"};
  if (!got.ok()) return got.status();
  size_t size = got.value();
  while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r')) --size;
  if (size == 0) return {Code::kInvalid, 0, "it is empty"};
  if (size > most) return {Code::kFull, 0, "it is too long"};
  for (const uint8_t byte : std::span(bytes).first(size)) {
    if (byte < ' ' || byte == 0x7f) return {Code::kInvalid, 0, "it holds a control character"};
  }
  changed = size != size_ || std::memcmp(bytes, room_.data(), size) != 0;
  std::memcpy(room_.data(), bytes, size);
  room_[size] = '\0';
  size_ = size;
  return {};
}

}  // namespace limpet
