// A source for tests: numbered log lines at a steady rate, so that whoever receives them can tell what
// was lost, came twice or out of order. They compress about as well as real logs.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "batch/source.h"

namespace limpet {

class LineGenerator final : public Source {
 public:
  static constexpr size_t kLineBytes = 200;

  /// The first line is due at the first call.
  LineGenerator(uint32_t lines_per_second, uint64_t first_number);

  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

  /// Of the line that comes next.
  uint64_t next_number() const { return first_number_ + written_; }

  /// The text of a line follows from its number. out: kLineBytes, all of which are written.
  static std::string_view WriteLine(uint64_t number, std::span<char, kLineBytes> out);

 private:
  Duration Due(uint64_t index) const;

  const uint64_t lines_per_second_, first_number_;
  std::array<uint8_t, 64> resource_bytes_;
  std::span<const uint8_t> resource_;
  MonoTime started_ = kNever;
  uint64_t written_ = 0;
};

}  // namespace limpet
