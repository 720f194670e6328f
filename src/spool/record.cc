#include "spool/record.h"

#include <algorithm>
#include <array>

#include "batch/gzip.h"
#include "spool/schema.h"

namespace limpet {
namespace {

constexpr uint32_t kItemsMax = 1'000'000;           // queue.batch_items.
constexpr uint32_t kBytesMax = 64 * 1024 * 1024;    // queue.batch_bytes.

class Contiguous final : public Body {
 public:
  explicit Contiguous(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  std::span<const uint8_t> At(size_t offset) const override { return bytes_.subspan(offset); }

 private:
  const std::span<const uint8_t> bytes_;
};

}  // namespace

uint32_t RecordChecksum(const BatchHeader& header, const Body& blob) {
  const uint64_t fields[] = {static_cast<uint64_t>(header.signal),
                             header.start,
                             header.sequence,
                             header.path.bits,
                             header.path.length,
                             static_cast<uint64_t>(header.encoding),
                             static_cast<uint64_t>(header.trust),
                             header.items,
                             header.raw_bytes,
                             header.stored_bytes,
                             header.checkpoint_bytes,
                             static_cast<uint64_t>(header.first_mono.ns),
                             static_cast<uint64_t>(header.last_mono.ns),
                             static_cast<uint64_t>(header.first_wall.ns),
                             static_cast<uint64_t>(header.last_wall.ns)};
  std::array<uint8_t, sizeof fields> bytes;
  size_t at = 0;
  for (const uint64_t field : fields) {
    for (int shift = 0; shift < 64; shift += 8) bytes[at++] = static_cast<uint8_t>(field >> shift);
  }
  uint32_t checksum = Crc32(0, bytes);
  checksum = Crc32(checksum, header.boot.bytes);
  for (size_t offset = 0; offset < blob.size();) {
    const std::span<const uint8_t> piece = blob.At(offset);
    checksum = Crc32(checksum, piece);
    offset += piece.size();
  }
  return checksum;
}

int BindRecord(Statement& statement, const Record& record) {
  const BatchHeader& h = record.header;
  int parameter = 1;
  const auto bind = [&](auto value) { statement.Bind(parameter++, static_cast<int64_t>(value)); };
  bind(record.row);
  bind(h.start), bind(h.sequence), bind(h.path.bits), bind(h.path.length);
  bind(h.encoding), bind(h.trust), bind(h.items), bind(h.raw_bytes), bind(h.stored_bytes);
  bind(h.checkpoint_bytes);
  statement.Bind(parameter++, std::span<const uint8_t>(h.boot.bytes));
  bind(h.first_mono.ns), bind(h.last_mono.ns), bind(h.first_wall.ns), bind(h.last_wall.ns);
  bind(h.attempts), bind(h.first_attempt.ns), bind(h.may_be_sent), bind(record.checksum);
  LIMPET_CHECK(parameter == kRecordColumnCount + 2);
  return parameter;
}

Status ReadRecordRow(const Statement& statement, Signal signal, Record& record) {
  bool sound = true;
  int column = 0;
  const auto number = [&](int64_t most) {
    const int64_t value = statement.Number(column++);
    sound = sound && value >= 0 && value <= most;
    return value;
  };
  const auto any = [&] { return statement.Number(column++); };
  BatchHeader& h = record.header;
  h = {};
  record.row = static_cast<SpoolRow>(number(INT64_MAX));
  h.signal = signal;
  h.start = static_cast<uint64_t>(any());
  h.sequence = static_cast<uint64_t>(any());
  h.path.bits = static_cast<uint32_t>(number(UINT32_MAX));
  h.path.length = static_cast<uint8_t>(number(32));
  h.encoding = static_cast<Encoding>(number(1));
  h.trust = static_cast<ClockTrust>(number(2));
  h.items = static_cast<uint32_t>(number(kItemsMax));
  h.raw_bytes = static_cast<uint32_t>(number(kBytesMax));
  h.stored_bytes = static_cast<uint32_t>(number(kBytesMax));
  h.checkpoint_bytes = static_cast<uint32_t>(number(kBytesMax));
  const std::span<const uint8_t> boot = statement.Bytes(column++);
  sound = sound && boot.size() == h.boot.bytes.size();
  if (sound) std::copy(boot.begin(), boot.end(), h.boot.bytes.begin());
  h.first_mono.ns = any(), h.last_mono.ns = any(), h.first_wall.ns = any(), h.last_wall.ns = any();
  h.attempts = static_cast<uint32_t>(number(UINT32_MAX));
  h.first_attempt.ns = any();
  h.may_be_sent = number(1) != 0;
  record.checksum = static_cast<uint32_t>(number(UINT32_MAX));
  if (!sound) return {Code::kInvalid, 0, "a damaged row"};
  return {};
}

Status WriteBlob(Database& db, const char* table, SpoolRow row, const Body& blob) {
  BlobStream stream;
  LIMPET_TRY(stream.Open(db, table, "bytes", static_cast<int64_t>(row), true));
  for (size_t offset = 0; offset < blob.size();) {
    const std::span<const uint8_t> piece = blob.At(offset);
    LIMPET_TRY(stream.Write(offset, piece));
    offset += piece.size();
  }
  return stream.Close();
}

Status ReadBlob(Database& db, const char* table, const Record& record, std::span<uint8_t> into) {
  BlobStream stream;
  const Status opened =
      stream.Open(db, table, "bytes", static_cast<int64_t>(record.row), false);
  if (opened.code == Code::kNotFound) return {Code::kInvalid, 0, "no blob"};
  LIMPET_TRY(opened);
  if (stream.size() != into.size()) return {Code::kInvalid, 0, "a blob of another size"};
  LIMPET_TRY(stream.Read(0, into));
  LIMPET_TRY(stream.Close());
  if (RecordChecksum(record.header, Contiguous(into)) != record.checksum) {
    return {Code::kInvalid, 0, "a wrong checksum"};
  }
  return {};
}

}  // namespace limpet
