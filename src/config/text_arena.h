// Where the texts of the configuration are kept: they are only added, and live as long as it.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

class TextArena {
 public:
  explicit TextArena(std::span<char> room) : room_(room) {}

  /// What is free. Write a text to its front, then keep it.
  std::span<char> room() { return room_; }

  /// Keeps the first `size` bytes of the room.
  std::string_view Keep(size_t size) {
    LIMPET_CHECK(size <= room_.size());
    const std::string_view kept(room_.data(), size);
    room_ = room_.subspan(size);
    return kept;
  }

  /// Keeps a copy. kFull: no room.
  Result<std::string_view> Copy(std::string_view text) {
    if (text.size() > room_.size()) return {Code::kFull, 0, "configuration text"};
    if (!text.empty()) std::memcpy(room_.data(), text.data(), text.size());
    return Keep(text.size());
  }

 private:
  std::span<char> room_;
};

}  // namespace limpet
