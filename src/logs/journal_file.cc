#include "logs/journal_file.h"

#include <algorithm>
#include <cstring>

namespace limpet {
namespace {

// Offsets in the header. What came after the first release is not used.
constexpr size_t kIncompatibleAt = 12, kStateAt = 16, kFileIdAt = 24, kMachineIdAt = 40, kSeqnumIdAt = 72, kHeaderSizeAt = 88,
                 kArenaSizeAt = 96, kEntriesAt = 152, kTailSeqnumAt = 160, kHeadSeqnumAt = 168,
                 kEntryArrayAt = 176, kHeadRealtimeAt = 184, kHeaderBytes = 208;
// The features that a reader has to know: xz 1, LZ4 2, keyed hash 4, zstd 8, compact 16. Hashes are not
// looked at here; for compression each object says itself what it has.
constexpr uint32_t kCompact = 16, kKnown = 31;

// Objects. Each begins with its type (1), flags (1), 6 reserved, size (8).
constexpr uint8_t kData = 1, kEntry = 3, kEntryArray = 6;
constexpr size_t kArrayNextAt = 16, kArrayBytes = 24;
constexpr size_t kSeqnumAt = 16, kRealtimeAt = 24, kMonotonicAt = 32, kBootAt = 40, kEntryBytes = 64;
constexpr size_t kHashAt = 16, kDataBytes = 64, kCompactDataBytes = 72;

constexpr uint64_t kTimeMaxUs = INT64_MAX / 1000;  // In the year 2262.
constexpr int kArraysMax = 256;  // They double in size.

uint64_t Load(const uint8_t* from, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | from[i];
  return value;
}
uint64_t Load64(const uint8_t* from) { return Load(from, 8); }

JournalId LoadId(const uint8_t* from) {
  JournalId id;
  std::memcpy(id.data(), from, id.size());
  return id;
}

Status Damaged(const char* where) { return {Code::kInvalid, 0, where}; }

}  // namespace

Result<JournalFile::Header> JournalFile::ReadHeader(JournalPages& pages, int file) {
  uint8_t raw[kHeaderBytes];
  LIMPET_TRY(pages.ReadNow(file, 0, raw));
  if (std::memcmp(raw, "LPKSHHRH", 8) != 0) return Damaged("no journal file");
  const auto flags = static_cast<uint32_t>(Load(raw + kIncompatibleAt, 4));
  if ((flags & ~kKnown) != 0) return {Code::kUnsupported, static_cast<int32_t>(flags), "journal file"};
  const uint64_t header_bytes = Load64(raw + kHeaderSizeAt), arena_bytes = Load64(raw + kArenaSizeAt);
  if (header_bytes < kHeaderBytes || header_bytes > UINT32_MAX || arena_bytes > INT64_MAX - header_bytes ||
      raw[kStateAt] > static_cast<uint8_t>(State::kArchived)) {
    return Damaged("journal header");
  }
  Header header;
  header.state = static_cast<State>(raw[kStateAt]);
  header.compact = (flags & kCompact) != 0;
  header.file_id = LoadId(raw + kFileIdAt);
  header.machine_id = LoadId(raw + kMachineIdAt);
  header.seqnum_id = LoadId(raw + kSeqnumIdAt);
  header.end = header_bytes + arena_bytes;
  header.entries = Load64(raw + kEntriesAt);
  header.head_seqnum = Load64(raw + kHeadSeqnumAt);
  header.tail_seqnum = Load64(raw + kTailSeqnumAt);
  header.head_realtime_us = Load64(raw + kHeadRealtimeAt);
  header.entry_array = Load64(raw + kEntryArrayAt);
  // Each takes an object and an item, so more would have no room. Without an id nothing could be resumed.
  if (header.seqnum_id == JournalId{} || header.entries > header.end / kEntryBytes) return Damaged("journal header");
  return header;
}

Status JournalFile::Open(JournalPages& pages, int file, bool closed) {
  const Result<Header> header = ReadHeader(pages, file);
  if (!header.ok()) return header.status();
  *this = JournalFile();
  pages_ = &pages, file_ = file, closed_ = closed, header_ = header.value();
  return {};
}

Status JournalFile::Refresh() {
  const Result<Header> read = ReadHeader(*pages_, file_);
  if (!read.ok()) return read.status();
  const Header& now = read.value();
  if (now == header_) return {};
  if (now.file_id != header_.file_id || now.seqnum_id != header_.seqnum_id || now.compact != header_.compact ||
      now.entries < header_.entries) {
    return Damaged("journal file was written anew");
  }
  // What was written is in the file before the header counts it, so what is read from now on is whole.
  pages_->Forget(file_);
  header_ = now;
  return {};
}

Status JournalFile::Read(uint64_t offset, std::span<uint8_t> into) {
  if (offset > header_.end || into.size() > header_.end - offset) return Damaged("journal offset");
  return pages_->Read(file_, offset, into);
}

Result<JournalFile::Object> JournalFile::CheckObject(uint64_t offset, std::span<const uint8_t> head,
                                                     uint8_t type, size_t bytes_min) const {
  const uint64_t bytes = Load64(head.data() + 8);
  if (head[0] != type || bytes < bytes_min || bytes > header_.end - offset) return Damaged("journal object");
  return Object{head[1], bytes};
}

Result<JournalFile::Array> JournalFile::ReadArray(uint64_t offset, uint64_t after) {
  // Later arrays lie behind earlier ones, so a chain has an end and no more items than the file has room for.
  if (offset % 8 != 0 || offset < std::max<uint64_t>(after, kHeaderBytes)) return Damaged("journal array offset");
  uint8_t head[kArrayBytes];
  LIMPET_TRY(Read(offset, head));
  const Result<Object> object = CheckObject(offset, head, kEntryArray, kArrayBytes + item_bytes());
  if (!object.ok()) return object.status();
  return Array{offset, offset + object.value().bytes, (object.value().bytes - kArrayBytes) / item_bytes(),
               Load64(head + kArrayNextAt)};
}

/// From the chain's beginning, or from the array that is read to its end.
bool JournalFile::EnterNextArray() {
  uint64_t next = header_.entry_array;
  if (array_.offset != 0) {
    const Result<Array> again = ReadArray(array_.offset, 0);
    if (!again.ok()) return false;
    next = again.value().next;
  }
  const Result<Array> array = ReadArray(next, array_.end);
  if (!array.ok()) return false;
  before_ += array_.items;
  array_ = array.value();
  return true;
}

Result<uint64_t> JournalFile::ItemAt(const Array& array, uint64_t index) {
  uint8_t raw[8];
  LIMPET_TRY(Read(array.offset + kArrayBytes + index * item_bytes(), {raw, item_bytes()}));
  return Load(raw, item_bytes());
}

Result<JournalEntry> JournalFile::ReadEntry(uint64_t offset) {
  if (offset % 8 != 0 || offset < kHeaderBytes) return Damaged("journal entry offset");
  uint8_t raw[kEntryBytes];
  LIMPET_TRY(Read(offset, raw));
  const size_t item = header_.compact ? 4 : 16;  // Regular ones have a hash beside the offset.
  const Result<Object> object = CheckObject(offset, raw, kEntry, kEntryBytes + item);
  if (!object.ok()) return object.status();
  const uint64_t fields = (object.value().bytes - kEntryBytes) / item;
  JournalEntry entry;
  entry.seqnum = Load64(raw + kSeqnumAt);
  entry.realtime_us = Load64(raw + kRealtimeAt);
  entry.monotonic_us = Load64(raw + kMonotonicAt);
  entry.boot = LoadId(raw + kBootAt);
  entry.offset = offset;
  entry.fields = static_cast<uint32_t>(std::min<uint64_t>(fields, kFieldsMax + 1));
  // A wrong number must not make all that follow look as if they had been seen.
  if (entry.seqnum < header_.head_seqnum || entry.seqnum > header_.tail_seqnum ||
      entry.realtime_us == 0 || entry.realtime_us >= kTimeMaxUs || entry.monotonic_us >= kTimeMaxUs ||
      entry.fields > kFieldsMax) {
    return Damaged("journal entry");
  }
  return entry;
}

Result<JournalEntry> JournalFile::EntryAt(const Array& array, uint64_t index) {
  const Result<uint64_t> offset = ItemAt(array, index);
  if (!offset.ok()) return offset.status();
  return ReadEntry(offset.value());
}

void JournalFile::SeekAfter(uint64_t seqnum) {
  array_ = Array{}, before_ = 0, index_ = 0, seqnum_ = seqnum;
  for (int arrays = 0; arrays < kArraysMax && header_.entries > before_ + array_.items; ++arrays) {
    if (!EnterNextArray()) return;
    const uint64_t count = std::min(array_.items, header_.entries - before_);
    // The first in [low, high] that is later. Of damaged ones nothing is known: they count as later, and
    // Peek passes over whatever is before the one that is wanted.
    uint64_t low = 0, high = count;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      const Result<JournalEntry> entry = EntryAt(array_, middle);
      if (entry.ok() && entry.value().seqnum <= seqnum) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    index_ = before_ + low;
    if (low < count) return;
  }
}

JournalFile::Got JournalFile::Peek(JournalEntry& entry) {
  if (index_ >= header_.entries) return Got::kNone;
  while (index_ - before_ >= array_.items) {
    if (!EnterNextArray()) return PassOver(header_.entries - index_);
  }
  const Result<uint64_t> offset = ItemAt(array_, index_ - before_);
  // An array that does not end where the file does has room for more entries than could ever be passed over.
  if (offset.status().code == Code::kInvalid) return PassOver(header_.entries - index_);
  const Result<JournalEntry> read = offset.ok() ? ReadEntry(offset.value()) : offset.status();
  if (!read.ok()) return PassOver(1);
  if (read.value().seqnum <= seqnum_) {
    ++index_;
    return Got::kPassed;
  }
  entry = read.value();
  return Got::kEntry;
}

/// So many are damaged, or out of reach. But the last one may just be about to be written: it is passed over
/// when another one follows.
JournalFile::Got JournalFile::PassOver(uint64_t entries) {
  if (live() && index_ + 1 == header_.entries) return Got::kNone;
  damaged_ += entries;
  index_ += entries;
  return Got::kPassed;
}

void JournalFile::Advance(const JournalEntry& entry) {
  seqnum_ = entry.seqnum;
  ++index_;
}

Result<JournalField> JournalFile::Field(const JournalEntry& entry, uint32_t index, std::span<uint8_t> into) {
  LIMPET_CHECK(index < entry.fields);
  uint8_t item[16];
  const size_t size = header_.compact ? 4 : 16;
  LIMPET_TRY(Read(entry.offset + kEntryBytes + index * size, {item, size}));
  const uint64_t offset = Load(item, item_bytes());
  if (offset % 8 != 0 || offset < kHeaderBytes) return Damaged("journal data offset");
  uint8_t head[kCompactDataBytes];
  const size_t head_bytes = header_.compact ? kCompactDataBytes : kDataBytes;
  LIMPET_TRY(Read(offset, {head, head_bytes}));
  const Result<Object> object = CheckObject(offset, head, kData, head_bytes);
  if (!object.ok()) return object.status();
  if (!header_.compact && std::memcmp(head + kHashAt, item + 8, 8) != 0) return Damaged("journal data hash");

  JournalField field;
  switch (object.value().flags) {
    case 0: break;
    case 1: field.compression = JournalCompression::kXz; break;
    case 2: field.compression = JournalCompression::kLz4; break;
    case 4: field.compression = JournalCompression::kZstd; break;
    default: return Damaged("journal data flags");
  }
  field.bytes = object.value().bytes - head_bytes;
  into = into.first(static_cast<size_t>(std::min<uint64_t>(field.bytes, into.size())));
  LIMPET_TRY(Read(offset + head_bytes, into));
  field.stored = into;
  return field;
}

}  // namespace limpet
