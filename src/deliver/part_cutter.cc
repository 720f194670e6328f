#include "deliver/part_cutter.h"

#include <algorithm>

#include "deliver/bisection.h"
#include "otlp/cut.h"

namespace limpet {
namespace {

constexpr uint8_t kPathMax = 32;

/// Into one piece. kFull: it is too small.
Result<std::span<const uint8_t>> Gather(const Body& body, std::span<uint8_t> into) {
  if (body.size() > into.size()) return {Code::kFull, 0, "a batch to be cut"};
  for (size_t offset = 0; offset < body.size();) {
    const std::span<const uint8_t> piece = body.At(offset);
    std::copy(piece.begin(), piece.end(), into.begin() + static_cast<std::ptrdiff_t>(offset));
    offset += piece.size();
  }
  return std::span<const uint8_t>(into.first(body.size()));
}

}  // namespace

Result<std::span<const uint8_t>> PartCutter::Inflate(const BatchHeader& header, const Body& body,
                                                     std::span<uint8_t> into) {
  if (header.encoding == Encoding::kIdentity) return Gather(body, into);
  const auto packed = Gather(body, memory_.packed);
  if (!packed.ok()) return packed.status();
  const Result<size_t> bytes = memory_.gunzip->Decompress(packed.value(), into);
  if (!bytes.ok()) return bytes.status();
  return std::span<const uint8_t>(into.first(bytes.value()));
}

Result<PartCutter::Part> PartCutter::Cut(const BatchHeader& header, const Body& body, BisectPath path) {
  if (header.path.length + path.length > kPathMax) return {Code::kFull, 0, "a batch's path"};
  const auto inflated = Inflate(header, body, memory_.raw);
  if (!inflated.ok()) return inflated.status();
  const std::span<uint8_t> raw = memory_.raw.first(inflated.value().size());
  const ItemRange range = PartOf(header.items, path);
  const Result<RequestPart> cut = CutItems(header.signal, raw, range.first, range.last);
  if (!cut.ok()) return cut.status();

  Part part{.header = header, .bytes = raw.first(cut.value().bytes)};
  BatchHeader& h = part.header;
  h.path.bits |= header.path.length == kPathMax ? 0 : path.bits << header.path.length;
  h.path.length = static_cast<uint8_t>(header.path.length + path.length);
  h.encoding = Encoding::kIdentity;
  h.items = cut.value().kept.items;
  h.raw_bytes = static_cast<uint32_t>(part.bytes.size());
  h.checkpoint_bytes = 0;
  h.attempts = 0;
  h.first_attempt = {};
  h.may_be_sent = false;
  if (memory_.gzip != nullptr && header.encoding == Encoding::kGzip) {
    const Result<size_t> size = memory_.gzip->Compress(part.bytes, memory_.packed);
    if (size.ok() && size.value() < part.bytes.size()) {
      part.bytes = memory_.packed.first(size.value());
      h.encoding = Encoding::kGzip;
    }
  }
  h.stored_bytes = static_cast<uint32_t>(part.bytes.size());
  return part;
}

}  // namespace limpet
