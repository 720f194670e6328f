// Writes journal files in memory, as journald lays them out but for the hash tables, which readers of all
// entries have no use for. What is already written can be damaged by hand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace limpet {

class JournalWriter {
 public:
  enum State : char { kOffline, kOnline, kArchived };
  struct Options {
    bool compact = false;
    uint8_t seqnum_id = 0xA0;  ///< All its bytes.
    uint8_t file_id = 1;
    uint8_t machine_id = 0;
    uint32_t flags = 0;        ///< Further incompatible ones.
  };
  struct Data {
    Data(const char* text) : stored(text) {}
    Data(std::string bytes, uint8_t its_flags = 0) : stored(std::move(bytes)), flags(its_flags) {}
    std::string stored;
    uint8_t flags = 0;  ///< Its compression.
  };

  explicit JournalWriter(const Options& options) : options_(options) {
    bytes = std::string("LPKSHHRH", 8) + std::string(kHeaderBytes - 8, '\0');
    Put(12, options.flags | (options.compact ? 16u : 0u), 4);
    bytes[16] = kOnline;
    bytes.replace(24, 16, std::string(16, static_cast<char>(options.file_id)));
    bytes.replace(40, 16, std::string(16, static_cast<char>(options.machine_id)));
    bytes.replace(72, 16, std::string(16, static_cast<char>(options.seqnum_id)));
    Put(88, kHeaderBytes);
    Close();
  }
  JournalWriter() : JournalWriter(Options{}) {}

  /// One entry; equal fields are written once.
  void Append(uint64_t seqnum, uint64_t realtime_us, const std::vector<Data>& fields) {
    std::vector<size_t> items;
    for (const Data& field : fields) items.push_back(DataAt(field));
    entries.push_back(AppendEntry(seqnum, realtime_us, items));
    Link(entries.back());
    if (Get(168) == 0) Put(168, seqnum), Put(184, realtime_us);
    Put(160, seqnum);
    Put(152, Get(152) + 1);
    Close();
  }

  void SetState(State state) { bytes[16] = state; }

  void Put(size_t at, uint64_t value, size_t size = 8) {
    for (size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
  }
  uint64_t Get(size_t at, size_t size = 8) const {
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  }

  std::string bytes;
  std::vector<size_t> entries;         ///< Where each lies.
  std::map<std::string, size_t> data;  ///< Likewise, by what is stored.
  std::vector<size_t> arrays;

  static constexpr size_t kHeaderBytes = 272;

 private:
  size_t Object(uint8_t type, uint8_t flags, const std::string& rest) {
    bytes.resize((bytes.size() + 7) / 8 * 8);
    const size_t at = bytes.size();
    bytes += std::string(16, '\0') + rest;
    bytes[at] = static_cast<char>(type), bytes[at + 1] = static_cast<char>(flags);
    Put(at + 8, 16 + rest.size());
    return at;
  }

  size_t DataAt(const Data& field) {
    const auto it = data.find(field.stored);
    if (it != data.end()) return it->second;
    const size_t head = options_.compact ? 56 : 48;
    const size_t at = Object(1, field.flags, std::string(head, '\0') + field.stored);
    Put(at + 16, Hash(at));
    return data[field.stored] = at;
  }

  size_t AppendEntry(uint64_t seqnum, uint64_t realtime_us, const std::vector<size_t>& items) {
    const size_t item = options_.compact ? 4 : 16;
    const size_t at = Object(3, 0, std::string(48 + items.size() * item, '\0'));
    Put(at + 16, seqnum), Put(at + 24, realtime_us), Put(at + 32, realtime_us % 1'000'000'000 + 1);
    bytes.replace(at + 40, 16, std::string(16, '\xB0'));
    for (size_t i = 0; i < items.size(); ++i) {
      Put(at + 64 + i * item, items[i], options_.compact ? 4 : 8);
      if (!options_.compact) Put(at + 64 + i * item + 8, Hash(items[i]));
    }
    return at;
  }

  void Link(size_t entry) {
    const size_t item = options_.compact ? 4 : 8;
    if (arrays.empty() || used_ == room_) {
      room_ = arrays.empty() ? 4 : 2 * room_;
      used_ = 0;
      const size_t at = Object(6, 0, std::string(8 + room_ * item, '\0'));
      Put(arrays.empty() ? 176 : arrays.back() + 16, at);
      arrays.push_back(at);
    }
    Put(arrays.back() + 24 + used_++ * item, entry, item);
  }

  void Close() {
    bytes.resize((bytes.size() + 7) / 8 * 8);
    Put(96, bytes.size() - kHeaderBytes);
  }

  static uint64_t Hash(uint64_t at) { return at * 0x9E3779B97F4A7C15; }

  Options options_;
  size_t room_ = 0, used_ = 0;  // Of the last array.
};

}  // namespace limpet
