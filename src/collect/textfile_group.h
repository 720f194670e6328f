// The group `textfile`: files in the text format of Prometheus, which other programs leave in a
// directory (docs/metrics.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "collect/group.h"

namespace limpet {

/// The metrics and series of a cycle by their hashes, so that none is there twice.
class SeriesTable {
 public:
  static constexpr size_t kMax = 768;

  struct Entry {
    size_t place;  ///< In order of being added.
    uint8_t tag;   ///< As it was added.
    bool added;    ///< Just now: it was not there.
  };

  /// Nothing when it is not there, and the table is full.
  std::optional<Entry> FindOrAdd(uint64_t identity, uint8_t tag);
  size_t size() const { return size_; }
  /// Forgets what was added since size() was this.
  void Truncate(size_t size);

 private:
  static constexpr size_t kSlots = 1024;  // A power of two.

  struct Place {
    uint16_t slot = 0;
    uint8_t tag = 0;
  };

  std::array<uint64_t, kSlots> identities_{};  // In use where slots_ is not 0.
  std::array<uint16_t, kSlots> slots_{};       // Place in places_ plus one.
  std::array<Place, kMax> places_{};
  size_t size_ = 0;
};

/// The files are those of this process, not below `[host] root`. A file with a mistake is left out
/// as a whole; it is logged when its state changes. Where files disagree the first by name is right.
class TextfileGroup final : public Group {
 public:
  static constexpr size_t kFilesMax = 64;

  /// Fails when the directory cannot be listed.
  Status Collect(const GroupContext& context, Points& out) override;

 private:
  static constexpr size_t kNameMax = 127;

  enum class State : uint8_t { kNew, kFine, kStale, kMalformed, kTooLarge, kUnreadable };

  /// In the order of names, from cycle to cycle.
  struct File {
    std::array<char, kNameMax> text;
    uint8_t size = 0;
    bool listed = false;  // In this cycle.
    State state = State::kNew;
    UnixTime since;       // When it had been written, as it was first seen fine without a break.

    std::string_view name() const { return {text.data(), size}; }
  };

  class Lister;

  void NoteName(std::string_view name);
  void ForgetVanished();
  void CollectFile(const GroupContext& context, std::string_view directory, File& file, Points& out);
  void Note(Log& log, File& file, const Status& status, UnixTime written);

  SeriesTable series_;
  std::array<File, kFilesMax> files_{};
  size_t count_ = 0;
  bool left_out_ = false;  // A file, in this cycle.
  bool said_left_out_ = false;
};

}  // namespace limpet
