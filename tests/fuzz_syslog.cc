// Fuzzes what takes a stream of syslog apart, and a record of the kernel's log. The first byte chooses which.
// A stream comes to the same messages however it is cut into pieces; every message keeps to its bound. For
// libFuzzer, or any driver that calls its entry point.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/hash.h"
#include "logs/kmsg_record.h"
#include "logs/syslog_framer.h"

namespace limpet {
namespace {

constexpr size_t kMax = 48;  // Of a message.

/// What has come out: all messages and their marks, in order.
struct Outcome {
  uint64_t hash = 0;
  size_t messages = 0, bytes = 0;
  bool broken = false;
  bool operator==(const Outcome&) const = default;
};

/// piece: bytes that come at once; another number each time. cut: the end is given up on, not taken as one.
Outcome Frame(std::string_view stream, size_t piece, bool cut) {
  SyslogFramer framer;
  char buffer[SyslogFramer::Room(kMax)];
  size_t size = 0;
  Outcome outcome;
  for (bool end = false; !end && !outcome.broken;) {
    LIMPET_CHECK(size < sizeof buffer);  // A full buffer has a message.
    const size_t taken = std::min({sizeof buffer - size, piece, stream.size()});
    std::memcpy(buffer + size, stream.data(), taken);
    stream.remove_prefix(taken);
    size += taken;
    end = taken == 0;
    piece = 1 + (piece * 7 + 3) % 90;
    SyslogFramer::Step step;
    do {
      const bool cuts = cut && end;
      const std::string_view there(buffer, size);
      step = cuts ? framer.Cut(there, kMax) : framer.Next(there, kMax, end);
      LIMPET_CHECK(step.used <= size);
      if (step.outcome == SyslogFramer::Outcome::kMessage) {
        LIMPET_CHECK(!step.message.empty() && step.message.size() <= kMax && step.used > 0);
        LIMPET_CHECK(!cuts || step.truncated);
        outcome.hash = Hash64(step.message, Hash64(step.truncated && !cuts, outcome.hash));
        outcome.bytes += step.message.size();
        ++outcome.messages;
      }
      std::memmove(buffer, buffer + step.used, size - step.used);
      size -= step.used;
    } while (step.outcome == SyslogFramer::Outcome::kMessage);
    outcome.broken = step.outcome == SyslogFramer::Outcome::kBroken;
  }
  LIMPET_CHECK(outcome.broken || size == 0);  // The end takes all.
  return outcome;
}

void Stream(std::string_view stream, uint8_t seed) {
  const Outcome whole = Frame(stream, SIZE_MAX / 8, false);
  LIMPET_CHECK(whole.bytes <= stream.size());
  LIMPET_CHECK(Frame(stream, 1 + seed % 90, false) == whole);
  LIMPET_CHECK(Frame(stream, 1 + seed % 90, true).bytes == whole.bytes);
}

void Record(std::string_view text) {
  char bytes[4096];
  const size_t size = std::min(text.size(), sizeof bytes);
  std::memcpy(bytes, text.data(), size);
  const Result<KmsgRecord> record = ParseKmsg({bytes, size});
  if (!record.ok()) {
    LIMPET_CHECK(record.status().code == Code::kInvalid);
    return;
  }
  for (const std::string_view view : {record.value().text, record.value().subsystem, record.value().device}) {
    if (view.empty()) continue;
    LIMPET_CHECK(view.data() >= bytes && view.data() + view.size() <= bytes + size);
  }
  LIMPET_CHECK(record.value().level <= 7 && record.value().since_boot >= Duration{});
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  if (data[0] % 2 == 0) limpet::Stream(text, data[1]);
  if (data[0] % 2 == 1) limpet::Record(text);
  return 0;
}
