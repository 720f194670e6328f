#include "logs/journal_pages.h"

#include <algorithm>
#include <cstring>

namespace limpet {

JournalPages::JournalPages(Files& files, std::span<char> memory)
    : files_(files), memory_(memory), count_(std::min(kPagesMax, memory.size() / kPageBytes)) {
  LIMPET_CHECK(count_ > 0);
}

Status JournalPages::Read(int file, uint64_t offset, std::span<uint8_t> into) {
  if (into.size() > kPageBytes) return ReadNow(file, offset, into);
  while (!into.empty()) {
    const Result<size_t> found = Find(file, offset / kPageBytes);
    if (!found.ok()) return found.status();
    const Page& page = pages_[found.value()];
    const size_t at = offset % kPageBytes;
    if (at >= page.bytes) return {Code::kInvalid, 0, "journal file ends early"};
    const size_t count = std::min(into.size(), page.bytes - at);
    std::memcpy(into.data(), memory_.data() + found.value() * kPageBytes + at, count);
    into = into.subspan(count);
    offset += count;
  }
  return {};
}

Status JournalPages::ReadNow(int file, uint64_t offset, std::span<uint8_t> into) {
  while (!into.empty()) {
    const Result<size_t> got =
        files_.ReadAt(file, offset, {reinterpret_cast<char*>(into.data()), into.size()});
    if (!got.ok()) return got.status();
    if (got.value() == 0) return {Code::kInvalid, 0, "journal file ends early"};
    into = into.subspan(got.value());
    offset += got.value();
  }
  return {};
}

void JournalPages::Forget(int file) {
  for (Page& page : pages_) {
    if (page.file == file) page = Page{};
  }
}

Result<size_t> JournalPages::Find(int file, uint64_t number) {
  ++uses_;
  const auto is_it = [&](const Page& page) { return page.number == number && page.file == file; };
  if (!is_it(pages_[last_])) {
    size_t oldest = 0, i = 0;
    for (; i < count_ && !is_it(pages_[i]); ++i) {
      if (pages_[i].used < pages_[oldest].used) oldest = i;
    }
    if (i == count_) {
      i = oldest;
      pages_[i] = Page{};
      const Result<size_t> got =
          files_.ReadAt(file, number * kPageBytes, memory_.subspan(i * kPageBytes, kPageBytes));
      if (!got.ok()) return got.status();
      pages_[i] = {file, number, got.value(), 0};
    }
    last_ = i;
  }
  pages_[last_].used = uses_;
  return last_;
}

}  // namespace limpet
