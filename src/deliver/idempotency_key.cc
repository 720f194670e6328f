#include "deliver/idempotency_key.h"

namespace limpet {

void WriteIdempotencyKey(TextWriter& out, std::string_view instance, const BatchHeader& header) {
  out << instance << '-';
  out.Hex64(header.start) << '-' << SignalName(header.signal) << '-' << header.sequence;
  if (header.path.length == 0) return;
  out << '.';
  for (uint8_t step = 0; step < header.path.length; ++step) {
    out << ((header.path.bits >> step & 1) != 0 ? '1' : '0');
  }
}

}  // namespace limpet
