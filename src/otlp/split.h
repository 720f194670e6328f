// Takes a request that is larger than a batch apart, at the borders of resources, scopes, metrics and
// items, so that its parts can be appended to batches.
//
// Invariants:
//  R1  The parts hold each item once, but for those rejected, in the order of the request, with all
//      that stands around it: the other fields of its resource, scope and metric, unknown ones included.
//  R2  A part is whole Resource… fields: parts of one signal may stand one behind the other.
//  R3  No part is larger than the room that was given for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "otlp/schema.h"
#include "otlp/wire_writer.h"

namespace limpet {

struct SplitStep {
  size_t bytes = 0;       ///< Appended.
  uint32_t items = 0;     ///< Appended.
  uint32_t rejected = 0;  ///< Items passed over since not even an empty batch has room for one of them.
  bool done = false;      ///< Nothing is left; else the next step needs a batch with more room.
};

/// Keeps its place in offsets, so that it can be copied, to go ahead and look.
class RequestSplitter {
 public:
  /// request: one that ValidateExportRequest has passed and found so many items in; it must stay where
  /// it is. batch_bytes: room of an empty batch.
  RequestSplitter(Signal signal, std::span<const uint8_t> request, uint32_t items, size_t batch_bytes);

  /// Appends as much of what is left as there is room for. What fits is copied as it is: the request,
  /// else a resource, scope or metric; only where that does not fit is it taken apart, its other fields
  /// first in each part, and what has no items in it goes.
  /// out: nullptr when the step only counts. bytes_room: not above the writer's room. With the room of
  /// an empty batch a step appends something unless it is the last.
  SplitStep Next(WireWriter* out, size_t bytes_room, uint32_t items_room);

 private:
  /// A message that is being taken apart. Offsets are those of the request.
  struct Level {
    const MessageSchema* message = nullptr;
    uint32_t field = 0;          ///< In the message around it.
    uint32_t begin = 0, end = 0;
    uint32_t child = 0;          ///< The next field with items; `end` when there is none left.
    uint32_t child_end = 0;
    uint32_t front = 0, back = 0;  ///< Other fields stand before `front`, from `back` on,
    uint32_t beside = 0;           ///< and perhaps between: the bytes of all.
    bool begun = false;            ///< A child has been dealt with.
  };
  static constexpr size_t kLevelsMax = 5;  ///< Request, resource, scope, metric, its data.
  class Part;

  std::span<const uint8_t> Slice(uint32_t begin, uint32_t end) const;
  void Enter(Level& level, const MessageSchema& message, uint32_t field,
             std::span<const uint8_t> contents);
  void ToNextChild(Level& level) const;
  /// Would an empty batch take an item of so many bytes, with all that is around it?
  bool FitsABatch(size_t bytes) const;

  std::span<const uint8_t> request_;
  uint32_t items_;
  size_t batch_bytes_;
  std::array<Level, kLevelsMax> levels_;
  size_t depth_ = 0;  ///< Of the level whose child is next.
};

}  // namespace limpet
