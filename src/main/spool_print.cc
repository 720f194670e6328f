#include "main/spool_print.h"

#include "base/calendar.h"
#include "deliver/idempotency_key.h"
#include "limpet/limits.h"

namespace limpet {
namespace {

constexpr size_t kSignalColumn = 8, kItemsColumn = 17, kBytesColumn = 26, kFirstColumn = 36,
                 kAttemptsColumn = 62, kFirstAttemptColumn = 72, kEncodingColumn = 98;

std::string_view EncodingName(Encoding encoding) {
  return encoding == Encoding::kGzip ? "gzip" : "identity";
}

std::string_view TrustName(ClockTrust trust) {
  constexpr std::string_view kNames[] = {"trusted", "unsynchronized", "unset"};
  return kNames[static_cast<size_t>(trust)];
}

void WriteTime(UnixTime time, LineOut& out) {
  TextBuffer<40> text;
  WriteRfc3339(text, time);
  out << text.text();
}

void WriteTimeOrDash(UnixTime time, LineOut& out) {
  if (time == UnixTime{}) {
    out << '-';
  } else {
    WriteTime(time, out);
  }
}

void WriteKey(std::string_view instance, const BatchHeader& header, LineOut& out) {
  TextBuffer<kIdempotencyKeyMax> key;
  WriteIdempotencyKey(key, instance, header);
  out.Foreign(key.text());
}

}  // namespace

void WriteListHead(Kept kept, LineOut& out) {
  out.Use(Colour::kBold) << "ID";
  out.Pad(kSignalColumn) << "SIGNAL";
  out.Pad(kItemsColumn) << "ITEMS";
  out.Pad(kBytesColumn) << "BYTES";
  out.Pad(kFirstColumn) << "FIRST";
  if (kept == Kept::kDead) {
    out.Pad(kAttemptsColumn) << "DIED";
    out.Pad(kAttemptsColumn + 26) << "DESTINATION  ANSWER";
  } else {
    out.Pad(kAttemptsColumn) << "ATTEMPTS";
    out.Pad(kFirstAttemptColumn) << "FIRST ATTEMPT";
    out.Pad(kEncodingColumn) << "ENCODING";
  }
  out.EndLine();
}

void WriteListLine(Kept kept, const KeptRecord& record, LineOut& out) {
  const BatchHeader& header = record.record.header;
  out << record.record.row;
  out.Pad(kSignalColumn) << SignalName(header.signal);
  out.Pad(kItemsColumn) << header.items;
  out.Pad(kBytesColumn) << header.stored_bytes;
  out.Pad(kFirstColumn);
  WriteTime(header.first_wall, out);
  if (kept == Kept::kDead) {
    out.Pad(kAttemptsColumn);
    WriteTime(record.died, out);
    out.Pad(kAttemptsColumn + 26).Foreign(record.destination.text()) << "  ";
    out.Foreign(record.answer.text());
  } else {
    out.Pad(kAttemptsColumn) << header.attempts;
    out.Pad(kFirstAttemptColumn);
    WriteTimeOrDash(header.first_attempt, out);
    out.Pad(kEncodingColumn) << EncodingName(header.encoding);
  }
  if (header.trust != ClockTrust::kTrusted) out << "  clock " << TrustName(header.trust);
  out.EndLine();
}

void WriteDetails(Kept kept, std::string_view instance, const KeptRecord& record, LineOut& out) {
  const BatchHeader& header = record.record.header;
  const auto line = [&out](std::string_view name, auto write) {
    out.Use(Colour::kDim) << name;
    out.Use(Colour::kNone).Pad(15);
    write();
    out.EndLine();
  };
  line("id", [&] { out << record.record.row; });
  line("signal", [&] { out << SignalName(header.signal); });
  line("key", [&] { WriteKey(instance, header, out); });
  line("items", [&] { out << header.items; });
  line("bytes", [&] {
    out << header.stored_bytes << " (" << EncodingName(header.encoding) << "), of " << header.raw_bytes;
  });
  line("first", [&] { WriteTime(header.first_wall, out); });
  line("last", [&] { WriteTime(header.last_wall, out); });
  line("clock", [&] { out << TrustName(header.trust); });
  line("attempts", [&] {
    out << header.attempts << (header.may_be_sent ? ", may have been sent" : "");
  });
  line("first attempt", [&] { WriteTimeOrDash(header.first_attempt, out); });
  if (kept == Kept::kBatches) return;
  line("died", [&] { WriteTime(record.died, out); });
  line("destination", [&] { out.Foreign(record.destination.text()); });
  line("answer", [&] { out.Foreign(record.answer.text()); });
}

void WriteJsonDetails(Kept kept, std::string_view instance, const KeptRecord& record,
                      LineOut& out) {
  const BatchHeader& header = record.record.header;
  const auto time = [&out](std::string_view name, UnixTime value) {
    out << ",\"" << name << "\":";
    if (value == UnixTime{}) {
      out << "null";
      return;
    }
    TextBuffer<40> text;
    WriteRfc3339(text, value, 9);
    out << '"' << text.text() << '"';
  };
  out << "\"id\":" << record.record.row << ",\"signal\":\"" << SignalName(header.signal)
      << "\",\"key\":";
  TextBuffer<kIdempotencyKeyMax> key;
  WriteIdempotencyKey(key, instance, header);
  out.Quoted(key.text()) << ",\"items\":" << header.items << ",\"bytes\":" << header.stored_bytes
                         << ",\"raw_bytes\":" << header.raw_bytes << ",\"encoding\":\""
                         << EncodingName(header.encoding) << '"';
  time("first", header.first_wall);
  time("last", header.last_wall);
  out << ",\"clock\":\"" << TrustName(header.trust) << "\",\"attempts\":" << header.attempts;
  time("first_attempt", header.first_attempt);
  out << ",\"may_be_sent\":" << (header.may_be_sent ? "true" : "false");
  if (kept == Kept::kBatches) return;
  time("died", record.died);
  out << ",\"destination\":";
  out.Quoted(record.destination.text()) << ",\"answer\":";
  out.Quoted(record.answer.text());
}

}  // namespace limpet
