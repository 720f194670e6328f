// A closed batch: immutable bytes and the header that travels with them through queue, spool and
// delivery. The header's fields are fixed from the first day, since all three stand on them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/time.h"

namespace limpet {

enum class Signal : uint8_t { kMetrics = 0, kLogs = 1, kTraces = 2 };
inline constexpr size_t kSignalCount = 3;
inline constexpr std::array<Signal, kSignalCount> kSignals = {Signal::kMetrics, Signal::kLogs,
                                                              Signal::kTraces};
/// "metrics", "logs", "traces".
std::string_view SignalName(Signal signal);
constexpr size_t Index(Signal signal) { return static_cast<size_t>(signal); }

enum class Encoding : uint8_t { kIdentity = 0, kGzip = 1 };

/// How far the wall clock could be trusted when the items were stamped.
enum class ClockTrust : uint8_t { kTrusted = 0, kUnsynchronized = 1, kUnset = 2 };

/// Which part of a bisected batch: `length` steps, step i in bit i of `bits` (0 = earlier half).
struct BisectPath {
  uint32_t bits = 0;
  uint8_t length = 0;
  constexpr bool operator==(const BisectPath&) const = default;
};

/// The kernel's boot id (/proc/sys/kernel/random/boot_id), as 16 bytes.
struct BootId {
  std::array<uint8_t, 16> bytes{};
  constexpr bool operator==(const BootId&) const = default;
};

/// Everything that is known of a batch besides its bytes. Identity and contents are fixed when the
/// batch is closed; only the three attempt fields change later.
struct BatchHeader {
  // Identity: with the instance id it is the Idempotency-Key.
  Signal signal = Signal::kMetrics;
  uint64_t start = 0;     ///< 64 random bits of the process start that made the batch.
  uint64_t sequence = 0;  ///< Per signal and start, from 1, without gaps.
  BisectPath path;

  // Contents.
  Encoding encoding = Encoding::kIdentity;
  ClockTrust trust = ClockTrust::kTrusted;
  uint32_t items = 0;             ///< Data points, log records or spans.
  uint32_t raw_bytes = 0;         ///< Before compression.
  uint32_t stored_bytes = 0;      ///< As kept and sent.
  uint32_t checkpoint_bytes = 0;  ///< Its marks (tracks.h), stored before the bytes.
  BootId boot;
  MonoTime first_mono, last_mono;  ///< Collection, by boot time of `boot`.
  UnixTime first_wall, last_wall;  ///< The same by wall time, as stamped.

  // Attempts.
  uint32_t attempts = 0;
  UnixTime first_attempt;      ///< 0 before the first.
  bool may_be_sent = false;    ///< An attempt was begun: its bytes must never change again.
};

/// The bytes of a request, perhaps not in one piece.
class Body {
 public:
  virtual size_t size() const = 0;
  /// The longest contiguous piece at the byte offset; empty only at the end.
  virtual std::span<const uint8_t> At(size_t offset) const = 0;

 protected:
  ~Body() = default;
};

}  // namespace limpet
