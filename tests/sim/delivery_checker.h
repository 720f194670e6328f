// Watches what reaches a destination, over restarts of the agent.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <compare>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "otlp_points.h"
#include "sim/world.h"
#include "sink/items.h"

namespace limpet::sim {

/// A log record as it arrived.
struct SeenRecord {
  std::string event, body;
  std::map<std::string, std::string> texts;  ///< Attributes.
  std::map<std::string, int64_t> numbers;
  int64_t time = 0, observed = 0;
};

/// Every record of an ExportLogsServiceRequest.
inline std::vector<SeenRecord> ReadRecords(std::span<const uint8_t> request) {
  struct Handler final : ItemHandler {
    void OnResource(const Origin&, size_t) override {}
    void OnPoint(const Origin&, const MetricView&, const PointView&) override {}
    void OnSpan(const Origin&, const SpanView&) override {}
    bool Enough() const override { return false; }
    static std::string Text(MessageBytes bytes) {
      return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    void OnLog(const Origin&, const LogView& log) override {
      SeenRecord record;
      record.event = log.event_name;
      record.time = static_cast<int64_t>(log.time_ns);
      record.observed = static_cast<int64_t>(log.observed_ns);
      record.body = Text(ReadAnyValue(log.body).bytes);
      log.attributes.ForEach([&](const KeyValueView& pair) {
        const AnyValueView value = ReadAnyValue(pair.value);
        const std::string key(pair.key);
        if (value.kind == otlp_AnyValue_int_value_tag) {
          record.numbers[key] = static_cast<int64_t>(value.bits);
        } else {
          record.texts[key] = Text(value.bytes);
        }
      });
      records.push_back(std::move(record));
    }
    std::vector<SeenRecord> records;
  };
  EXPECT_TRUE(ValidateExportRequest(Signal::kLogs, request).ok());
  Handler handler;
  ForEachItem(Signal::kLogs, request, handler);
  return std::move(handler.records);
}

/// Watches what reaches a destination. Each promise it guards names itself when it is broken; the
/// tests of the checker break each of them on purpose.
class DeliveryChecker {
 public:
  /// A process begins; its batches are known from now on, and only those of such processes.
  void OnStart(uint64_t start) {
    TextBuffer<16> hex;
    hex.Hex64(start);
    processes_.try_emplace(std::string(hex.text()), processes_.size() + 1);
  }

  /// Acknowledgements so far.
  size_t accepted() const { return acknowledged_.size(); }
  /// The spool knows of the first `count` of them, as far as they are of this process: they are never
  /// sent again, whatever happens.
  void OnCommit(size_t count) { committed_ = std::max(committed_, count); }

  /// The answer to the last request never reached the agent: it is bound to come again.
  void OnAnswerLost() {
    if (acknowledged_.empty() || acknowledged_.back() != last_key_) return;
    repeatable_[last_key_] = true;
    acknowledged_.pop_back();
    committed_ = std::min(committed_, acknowledged_.size());
  }

  /// The process ended, after a stop or without one. What was acknowledged since its last commit may
  /// come once more, and the line goes on behind what was committed.
  void OnEnd() {
    for (; committed_ < acknowledged_.size(); ++committed_) {
      repeatable_[acknowledged_[committed_]] = true;
    }
    last_ = {};
    for (const std::string& key : acknowledged_) {
      if (repeatable_.contains(key)) continue;
      Position& last = last_[Index(SignalOf(key))];
      last = std::max(last, PositionOf(key));
    }
  }

  /// A request arrived, and this is what was answered.
  void OnRequest(const SimRequest& request, const SimAnswer& answer) {
    last_key_ = request.key;
    // The same key always carries the same bytes (spec.md promise 2).
    const auto [known, is_new] = bodies_.try_emplace(request.key, request.body);
    if (!is_new && known->second != request.body) Broken("bytes of a key changed");
    const Position position = PositionOf(request.key);
    if (!processes_.empty() && position.process == 0) Broken("a batch that nobody made");
    const bool delivered = delivered_.contains(request.key);
    const bool repeat = delivered && repeatable_.contains(request.key);
    if (delivered && !repeat) Broken("sent again after it was accepted");
    // Order: never back behind what was sent. (What was dropped in between leaves a gap.)
    Position& last = last_[Index(request.signal)];
    if (position < last && !may_go_back) Broken("went back in order");
    last = std::max(last, position);
    const bool accepted = answer.sent == Sent::kAnswered && answer.status / 100 == 2;
    if (!accepted) return;
    acknowledged_.push_back(request.key);
    if (repeat) {
      repeatable_.erase(request.key);
      ++repeats_;
    }
    if (delivered) return;
    delivered_[request.key] = true;
    const std::vector<uint8_t> raw =
        request.encoding == Encoding::kGzip ? Inflate(request.body) : request.body;
    if (request.signal == Signal::kMetrics) CheckPoints(position.process, raw);
    if (request.signal == Signal::kLogs) CheckRecords(raw);
  }

  /// Items that were accepted, each counted once.
  uint64_t items(Signal signal) const { return items_[Index(signal)]; }
  uint64_t points() const { return items(Signal::kMetrics); }
  uint64_t lines() const { return lines_; }        ///< Records with an attribute "line".
  uint64_t last_line() const { return last_line_; }
  uint64_t repeats() const { return repeats_; }    ///< Requests accepted a second time.
  const std::vector<SeenRecord>& events() const { return events_; }
  const std::vector<std::string>& broken() const { return broken_; }
  /// Events of that name and reason.
  size_t Events(std::string_view name, std::string_view reason) const {
    return static_cast<size_t>(
        std::count_if(events_.begin(), events_.end(), [&](const SeenRecord& event) {
          const auto found = event.texts.find("limpet.reason");
          return event.event == name && found != event.texts.end() && found->second == reason;
        }));
  }

  bool may_go_back = false;  ///< Dead letters do, when they are tried again.
  /// Is the text that of the line of that number?
  std::function<bool(uint64_t, std::string_view)> line_is = [](uint64_t, std::string_view) {
    return true;
  };

 private:
  /// Of a batch among all of its signal.
  struct Position {
    size_t process = 0;  // 0: unknown.
    uint64_t sequence = 0;
    auto operator<=>(const Position&) const = default;
  };

  void Broken(const char* what) { broken_.push_back(what); }

  /// The parts of "instance-start-signal-sequence", from the right.
  static std::string_view Part(std::string_view key, int from_right) {
    for (; from_right > 0; --from_right) key = key.substr(0, key.rfind('-'));
    return key.substr(key.rfind('-') + 1);
  }
  Position PositionOf(const std::string& key) const {
    const auto process = processes_.find(std::string(Part(key, 2)));
    return {.process = process == processes_.end() ? 0 : process->second,
            .sequence = std::stoull(std::string(Part(key, 0)))};
  }
  static Signal SignalOf(std::string_view key) {
    return *std::find_if(kSignals.begin(), kSignals.end(),
                         [&](Signal signal) { return SignalName(signal) == Part(key, 1); });
  }

  void CheckPoints(size_t process, std::span<const uint8_t> raw) {
    for (const SeenPoint& point : ReadPoints(raw)) {
      ++items_[Index(Signal::kMetrics)];
      if (point.time == 0) continue;  // A histogram, which the reader only counts.
      std::string series = point.metric;
      for (const auto& [key, value] : point.attributes) series += "," + key + "=" + value;
      // One host, but each process has a resource of its own.
      if (const auto pid = point.resource.find("process.pid"); pid != point.resource.end()) {
        series += ",pid=" + pid->second;
      }
      int64_t& newest = newest_[series];
      if (point.time <= newest && !may_go_back) Broken("a series went back in time");
      newest = std::max(newest, point.time);
      int64_t& start = starts_[{process, series}];  // One for each boot, and none lasts longer.
      if (start != 0 && point.start != 0 && start != point.start) Broken("start time changed");
      if (point.start != 0) start = point.start;
    }
  }

  void CheckRecords(std::span<const uint8_t> raw) {
    for (SeenRecord& record : ReadRecords(raw)) {
      ++items_[Index(Signal::kLogs)];
      if (record.observed < newest_record_ && !may_go_back) Broken("logs went back in time");
      newest_record_ = std::max(newest_record_, record.observed);
      if (const auto line = record.numbers.find("line"); line != record.numbers.end()) {
        const auto number = static_cast<uint64_t>(line->second);
        if (number <= last_line_ && !may_go_back) Broken("a line came twice or too late");
        if (!line_is(number, record.body)) Broken("not the text of the line");
        last_line_ = std::max(last_line_, number);
        ++lines_;
      }
      if (!record.event.empty()) events_.push_back(std::move(record));
    }
  }

  std::map<std::string, size_t> processes_;  // By their start, in their order, from 1.
  std::map<std::string, std::vector<uint8_t>> bodies_;
  std::map<std::string, bool> delivered_, repeatable_;
  std::vector<std::string> acknowledged_;
  size_t committed_ = 0;  // The first of them.
  std::string last_key_;  // Of the last request.
  std::array<Position, kSignalCount> last_{};
  std::map<std::string, int64_t> newest_;
  std::map<std::pair<size_t, std::string>, int64_t> starts_;
  int64_t newest_record_ = 0;
  uint64_t lines_ = 0, last_line_ = 0, repeats_ = 0;
  std::array<uint64_t, kSignalCount> items_{};
  std::vector<SeenRecord> events_;
  std::vector<std::string> broken_;
};

}  // namespace limpet::sim
