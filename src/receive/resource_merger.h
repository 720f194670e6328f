// resource = merge: what a program does not say of the host that it runs on, limpet adds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "otlp/wire_writer.h"

namespace limpet {

class ResourceMerger {
 public:
  /// host: encoded Resource of this host, for the merger's life; empty: nothing is added. What names
  /// limpet itself in it (service.name, .instance.id, .version) nobody else gets.
  explicit ResourceMerger(std::span<const uint8_t> host) : host_(host) {}

  bool adds() const { return !host_.empty(); }
  /// By how much one Resource… field grows at most.
  size_t growth() const { return adds() ? host_.size() + kLengthsMax : 0; }

  /// Appends the Resource… fields of a valid request to `out`, in each of them the host's attributes
  /// whose keys it does not have; as many fields as there is room for. Returns how many bytes of the
  /// request they were.
  size_t Append(std::span<const uint8_t> request, WireWriter& out, size_t room) const;

 private:
  static constexpr size_t kLengthsMax = 16;  // Of a message that was not there, and longer lengths.

  void Merge(std::span<const uint8_t> message, WireWriter& out) const;

  const std::span<const uint8_t> host_;
};

}  // namespace limpet
