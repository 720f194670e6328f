// Reads one file of systemd's journal, while journald appends to it. Source: JOURNAL_FILE_FORMAT in
// systemd's documentation. Every offset, size and type is checked before it is followed: the file may be
// damaged, or may have been caught half written.
//
// A file is a header and objects. Data objects hold one field each ("NAME=value", shared by all entries
// that have it), entry objects name their data objects, and a chain of entry arrays names the entries in
// order of their sequence numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "logs/journal_pages.h"

namespace limpet {

using JournalId = std::array<uint8_t, 16>;

struct JournalEntry {
  uint64_t seqnum = 0;
  uint64_t realtime_us = 0;   ///< When journald took it, unix.
  uint64_t monotonic_us = 0;  ///< Of the boot.
  JournalId boot{};
  uint64_t offset = 0;        ///< Of its object.
  uint32_t fields = 0;
};

enum class JournalCompression : uint8_t { kNone, kXz, kLz4, kZstd };

/// What a data object holds: "NAME=value", or that compressed.
struct JournalField {
  JournalCompression compression = JournalCompression::kNone;
  uint64_t bytes = 0;               ///< Of all of it.
  std::span<const uint8_t> stored;  ///< As many of these as there was room for.
};

class JournalFile {
 public:
  static constexpr uint32_t kFieldsMax = 4096;  ///< Of an entry; journald takes 1024. More: it is damaged.

  enum class State : uint8_t { kOffline, kOnline, kArchived };

  struct Header {
    State state = State::kOffline;
    bool compact = false;       ///< Offsets of 32 bits in arrays and entries.
    JournalId file_id{}, machine_id{}, seqnum_id{};
    uint64_t end = 0;           ///< Of what is in use, in bytes from the file's beginning.
    uint64_t entries = 0;
    uint64_t head_seqnum = 0, tail_seqnum = 0;  ///< 0: it has no entry yet.
    uint64_t head_realtime_us = 0;
    uint64_t entry_array = 0;   ///< Where the chain begins; 0: nowhere yet.
    auto operator<=>(const Header&) const = default;
  };

  /// Reads the header of a file that is open. kInvalid: it is no journal file.
  /// kUnsupported: it has features that this does not know.
  static Result<Header> ReadHeader(JournalPages& pages, int file);

  /// Begins before the first entry. file: stays the caller's. closed: nobody writes to it, whatever its
  /// header says, as in files that journald has set aside (their names end in ~).
  Status Open(JournalPages& pages, int file, bool closed);

  /// Looks again for what has been written. Entries that were not there before become visible.
  Status Refresh();

  /// The next entry is the first one with a higher sequence number.
  void SeekAfter(uint64_t seqnum);

  enum class Got : uint8_t {
    kEntry,
    kPassed,  ///< A damaged one or one that was seen was passed over: ask again.
    kNone,    ///< No further one, for now.
  };
  /// The next entry. It stays the next one until Advance.
  Got Peek(JournalEntry& entry);
  void Advance(const JournalEntry& entry);

  /// Field number `index` of an entry that Peek gave. kInvalid: it is damaged.
  Result<JournalField> Field(const JournalEntry& entry, uint32_t index, std::span<uint8_t> into);

  const Header& header() const { return header_; }
  int file() const { return file_; }
  /// Whether entries may still be added.
  bool live() const { return header_.state == State::kOnline && !closed_; }
  /// Entries that were passed over since they were damaged or out of reach.
  uint64_t damaged() const { return damaged_; }

 private:
  struct Object {
    uint8_t flags = 0;
    uint64_t bytes = 0;
  };
  struct Array {
    uint64_t offset = 0;  // 0: none.
    uint64_t end = 0;
    uint64_t items = 0;
    uint64_t next = 0;
  };

  size_t item_bytes() const { return header_.compact ? 4 : 8; }
  Status Read(uint64_t offset, std::span<uint8_t> into);
  Result<Object> CheckObject(uint64_t offset, std::span<const uint8_t> head, uint8_t type,
                             size_t bytes_min) const;
  Result<Array> ReadArray(uint64_t offset, uint64_t after);
  bool EnterNextArray();
  Result<uint64_t> ItemAt(const Array& array, uint64_t index);
  Result<JournalEntry> ReadEntry(uint64_t offset);
  Result<JournalEntry> EntryAt(const Array& array, uint64_t index);
  Got PassOver(uint64_t entries);

  JournalPages* pages_ = nullptr;
  int file_ = -1;
  bool closed_ = false;
  Header header_;

  Array array_;           // In which the next entry is named.
  uint64_t before_ = 0;   // Entries in the arrays before it.
  uint64_t index_ = 0;    // Of the next entry, in all arrays.
  uint64_t seqnum_ = 0;   // Of the last one; the next must have a higher one.
  uint64_t damaged_ = 0;
};

}  // namespace limpet
