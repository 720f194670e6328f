// Writes log records as OTLP into the open logs batch. Records that a source writes in a row stand
// under one resource. When one does not fit any more (bytes or items), the messages are closed, the
// batch is handed on, and the record is written again into the next one under the same resource.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "batch/batcher.h"
#include "otlp/metric_sink.h"

namespace limpet {

/// Numbers of OTLP's SeverityNumber. Each name has three more above it, for finer levels.
enum class Severity : uint8_t {
  kUnspecified = 0,
  kTrace = 1,
  kDebug = 5,
  kInfo = 9,
  kInfo2 = 10,
  kWarn = 13,
  kError = 17,
  kError2 = 18,
  kError3 = 19,
  kFatal = 21,
};

/// What is not known is left as it is, and not written.
struct LogRecord {
  UnixTime time;                   ///< When it happened, as its origin says.
  Severity severity = Severity::kUnspecified;
  std::string_view severity_text;  ///< The level as its origin names it.
  std::string_view body;           ///< UTF-8. Written when empty, too, unless it is an event.
  std::span<const Attribute> attributes;
  /// More of them, as WriteAttributes writes them under LogRecord's field, in some parts.
  std::span<const std::span<const uint8_t>> encoded_attributes;
  std::string_view event_name;     ///< Of a record that is an event.
};

class LogEncoder {
 public:
  /// version: of the scope "limpet". Must outlive it.
  LogEncoder(Batcher& batcher, std::string_view version) : batcher_(batcher), version_(version) {}

  /// True: a source that cannot be read again is to wait (Batcher::Paused).
  bool paused() const { return batcher_.Paused(); }

  /// True: there is room for what can be read again later as well.
  bool room() const { return room_; }
  void set_room(bool room) { room_ = room; }

  /// Begins a row of records that were all observed now.
  /// resource: an encoded Resource message, there until Finish.
  void Begin(std::span<const uint8_t> resource, const Stamp& observed);

  /// False: it was larger than a batch, and was dropped, counted.
  bool Record(const LogRecord& record);

  /// Records of the row that are not to be written: they count as collected and dropped.
  void Drop(DropReason reason, uint32_t records = 1) {
    batcher_.DropUnwritten(Signal::kLogs, reason, records, observed_);
  }

  /// Ends the row: what was written is whole messages in the open batch. Returns its records.
  uint32_t Finish();

 private:
  void OpenScope();
  void CloseScope();
  void Write(const LogRecord& record);
  WireWriter& out() { return batcher_.writer(Signal::kLogs); }

  Batcher& batcher_;
  const std::string_view version_;

  std::span<const uint8_t> resource_;
  Stamp observed_;
  bool room_ = true;
  size_t resource_mark_ = 0, scope_mark_ = 0;  // Of the open messages, 0 = not open.
  size_t expected_ = 0, last_bytes_ = 0;       // Rows become about as long as the one before.
  uint32_t records_ = 0;
};

}  // namespace limpet
