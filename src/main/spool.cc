// limpet spool and limpet dead: what is kept on flash, looked at and acted on.
#include <algorithm>
#include <array>
#include <ctime>

#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/console.h"
#include "main/spool_print.h"
#include "main/spool_source.h"
#include "main/stdout_lines.h"
#include "sink/items.h"
#include "sink/otlp_json.h"
#include "sink/printers.h"

namespace limpet {
namespace {

constexpr Duration kActTimeout = Seconds(60);
constexpr Duration kActPause = Milliseconds(5);

Kept KeptOf(const Args& args) {
  return args.command == Command::kDead ? Kept::kDead : Kept::kBatches;
}

std::string_view NameOf(Kept kept) { return kept == Kept::kDead ? "dead letter" : "batch"; }

/// "1 batch", "2 dead letters".
void WriteCount(TextWriter& out, uint64_t count, Kept kept) {
  out << count << ' ';
  if (kept == Kept::kDead) {
    out << (count == 1 ? "dead letter" : "dead letters");
  } else {
    out << (count == 1 ? "batch" : "batches");
  }
}

void ComplainOf(Kept kept, SpoolRow row, const char* why) {
  TextBuffer<128> text;
  text << NameOf(kept) << ' ' << row << ": " << why;
  Complain(text.text());
}

/// Calls use(record), which returns a Status, for all in order. What is damaged is said and passed
/// over, and makes the exit code.
template <typename Use>
int ForEach(SpoolSource& source, Kept kept, Use use) {
  int code = kExitOk;
  SpoolRow after = 0;
  for (;;) {
    Status status = source.reader().Walk(kept, after);
    while (status.ok()) {
      KeptRecord record;
      const Result<bool> more = source.reader().Next(record);
      status = more.status();
      if (!status.ok()) break;
      if (!more.value()) return code;
      Status used = record.status;
      if (used.ok()) used = use(record);
      if (!used.ok() && (used.code != Code::kInvalid || source.Changed())) {
        status = used;
        break;
      }
      if (!used.ok()) {
        ComplainOf(kept, record.record.row, used.where);
        code = kExitData;
      }
      after = record.record.row;
      source.NoteProgress();
    }
    if (!source.Changed()) return source.Complaint(status);
    // A transaction went through: on behind the last one.
    if (const int failed = source.Reopen(); failed != kExitOk) return failed;
  }
}

int ParseId(std::string_view text, SpoolRow& row) {
  const std::optional<SpoolRow> parsed = ParseNumber<SpoolRow>(text);
  if (!parsed || *parsed == 0 || *parsed > INT64_MAX) {
    TextBuffer<128> complaint;
    complaint << '\'' << text << "': expected an ID, as `list` shows them";
    Complain(complaint.text());
    return kExitUsage;
  }
  row = *parsed;
  return kExitOk;
}

int Ended(SpoolSource& source, const StdoutLines& lines, int code) {
  if (lines.broken()) return kExitIo;
  const int finished = source.Finish();
  return finished != kExitOk ? finished : code;
}

int List(SpoolSource& source, const Args& args) {
  const Kept kept = KeptOf(args);
  StdoutLines lines;
  LineOut out(lines, !args.json && ColourWanted());
  uint64_t count = 0, items = 0, bytes = 0;
  const int code = ForEach(source, kept, [&](const KeptRecord& record) {
    if (args.json) {
      out << '{';
      WriteJsonDetails(kept, source.reader().state().instance.text(), record, out);
      out << '}';
      out.EndLine();
    } else {
      if (count == 0) WriteListHead(kept, out);
      WriteListLine(kept, record, out);
    }
    ++count;
    items += record.record.header.items;
    bytes += record.record.header.stored_bytes;
    return Status{};
  });
  if (code != kExitOk && code != kExitData) return code;
  if (!args.json) {
    TextBuffer<96> total;
    WriteCount(total, count, kept);
    out << total.text() << ", " << items << (items == 1 ? " item, " : " items, ") << bytes << " bytes";
    out.EndLine();
  }
  return Ended(source, lines, code);
}

int Show(SpoolSource& source, const Args& args) {
  const Kept kept = KeptOf(args);
  SpoolRow row = 0;
  if (const int code = ParseId(args.operands[0], row); code != kExitOk) return code;
  KeptRecord record;
  std::span<const uint8_t> request;
  for (;;) {
    Status status = source.reader().Find(kept, row, record);
    if (status.ok()) status = record.status;
    if (status.ok()) {
      const Result<std::span<const uint8_t>> got = source.ReadRequest(kept, record.record);
      status = got.status();
      request = got.value();
    }
    if (status.ok()) break;
    if (source.Changed()) {
      if (const int code = source.Reopen(); code != kExitOk) return code;
      continue;
    }
    if (status.code == Code::kNotFound) {
      TextBuffer<96> text;
      text << "there is no " << NameOf(kept) << ' ' << row;
      Complain(text.text());
      return kExitNoInput;
    }
    if (status.code != Code::kInvalid) return source.Complaint(status);
    ComplainOf(kept, row, status.where);
    return kExitData;
  }
  const std::string_view instance = source.reader().state().instance.text();
  const Signal signal = record.record.header.signal;
  StdoutLines lines;
  LineOut out(lines, !args.json && ColourWanted());
  if (args.json) {
    out << '{';
    WriteJsonDetails(kept, instance, record, out);
    out << ",\"request\":{";
    WriteOtlpJson(signal, request, out);
    out << "}}";
    out.EndLine();
  } else {
    WriteDetails(kept, instance, record, out);
    tzset();
    LocalTime zone;
    TextPrinter printer(out, zone);
    ForEachItem(signal, request, printer);
  }
  return Ended(source, lines, kExitOk);
}

/// Lines into the file that is to be made.
class FileLines final : public LineWriter {
 public:
  explicit FileLines(NewFile& file) : file_(file) {}
  void Write(std::string_view text) override {
    if (status_.ok()) status_ = file_.Write(text);
  }
  const Status& status() const { return status_; }

 private:
  NewFile& file_;
  Status status_;
};

int FailedFile(std::string_view path, const Status& status) {
  TextBuffer<kPathMax + 64> text;
  text << path << ": ";
  text << status.where;
  if (status.code != Code::kExists) text << ": " << CodeName(status.code);
  Complain(text.text());
  return status.code == Code::kDenied ? kExitPermission : kExitCannotCreate;
}

int ExportInto(SpoolSource& source, LineWriter& writer, uint64_t& count) {
  LineOut out(writer, false);
  return ForEach(source, Kept::kBatches, [&](const KeptRecord& record) {
    const auto request = source.ReadRequest(Kept::kBatches, record.record);
    if (!request.ok()) return request.status();
    out << "{\"limpet\":{";
    WriteJsonDetails(Kept::kBatches, source.reader().state().instance.text(), record, out);
    out << "},";
    WriteOtlpJson(record.record.header.signal, request.value(), out);
    out << '}';
    out.EndLine();
    ++count;
    return Status{};
  });
}

int Export(SpoolSource& source, std::string_view path) {
  uint64_t count = 0;
  if (path == "-") {
    StdoutLines lines;
    const int code = ExportInto(source, lines, count);
    if (code != kExitOk && code != kExitData) return code;
    return Ended(source, lines, code);
  }
  NewFile file;
  Status status = file.Make(path);
  if (!status.ok()) return FailedFile(path, status);
  FileLines lines(file);
  int code = ExportInto(source, lines, count);
  if (code != kExitOk && code != kExitData) return code;
  status = lines.status();
  if (const int finished = source.Finish(); finished != kExitOk) code = finished;
  if (status.ok() && code != kExitTryAgain) status = file.Finish();
  if (!status.ok()) return FailedFile(path, status);
  TextBuffer<kPathMax + 64> text;
  WriteCount(text, count, Kept::kBatches);
  text << " written to " << path << '\n';
  return WriteStdout(text.text()) ? code : kExitIo;
}

/// Kept until it is known that they are all of one state; what is found in half of two is nothing.
class KeptFindings final : public FindingSink {
 public:
  void OnFinding(std::string_view text) override {
    ++count_;
    if (out_.room() <= text.size()) return;
    out_ << text << '\n';
    ++shown_;
  }
  void Clear() {
    out_.Clear();
    count_ = shown_ = 0;
  }
  uint64_t count() const { return count_; }

  void Print(LineOut& out) const {
    std::string_view rest = out_.text();
    while (!rest.empty()) {
      out.Foreign(TakeUntil(rest, '\n'));
      out.EndLine();
    }
    if (shown_ == count_) return;
    out << "and " << count_ - shown_ << " more";
    out.EndLine();
  }

 private:
  TextBuffer<16 * kKiB> out_;
  uint64_t count_ = 0, shown_ = 0;
};

int Verify(SpoolSource& source) {
  static KeptFindings findings;  // Too large for a small stack.
  Result<uint64_t> sound = uint64_t{0};
  for (;;) {
    findings.Clear();
    sound = source.reader().Verify(findings, [&](size_t bytes) { return source.Buffer(bytes); });
    if (!source.Changed()) break;
    if (const int code = source.Reopen(); code != kExitOk) return code;
  }
  if (!sound.ok()) return source.Complaint(sound.status());
  if (const int code = source.Finish(); code != kExitOk) return code;
  StdoutLines lines;
  LineOut out(lines, false);
  findings.Print(out);
  out << sound.value() << (sound.value() == 1 ? " batch or dead letter is" : " batches and dead letters are")
      << " sound, ";
  if (findings.count() == 0) {
    out << "and nothing is wrong";
  } else {
    out << findings.count() << (findings.count() == 1 ? " thing is wrong" : " things are wrong");
  }
  out.EndLine();
  if (lines.broken()) return kExitIo;
  return findings.count() == 0 ? kExitOk : kExitData;
}

// Dead letters

/// Has the process act on these letters. An exit code; `changed` grows by how many it were.
int ActOn(Question& question, Action action, std::span<const SpoolRow> rows, uint64_t& changed) {
  TextBuffer<1024> target;
  target << (action == Action::kRetry ? "/dead/retry" : "/dead/purge") << "?id=";
  for (const SpoolRow& row : rows) target << (&row == rows.data() ? "" : ",") << row;
  const MonoTime deadline = question.now() + kActTimeout;
  ControlAnswer answer;
  const auto refused = [&answer] {
    TextBuffer<300> text;
    text << "the running limpet says: " << Trim(answer.body.substr(0, answer.body.find('\n')));
    Complain(text.text());
    return kExitUnavailable;
  };
  if (const int code = question.Ask("POST", target.text(), answer); code != kExitOk) return code;
  if (answer.status != 202) return refused();
  TextBuffer<64> ticket;
  ticket << "/dead/answer?ticket=" << Trim(answer.body.substr(0, answer.body.find('\n')));
  for (;;) {
    if (const int code = question.Ask("GET", ticket.text(), answer); code != kExitOk) return code;
    if (answer.status != 202) break;
    if (question.now() >= deadline) {
      Complain("the running limpet does not come to it: it will, and `limpet dead list` shows it");
      return kExitUnavailable;
    }
    question.Pause(kActPause);
  }
  if (answer.status != 200) return refused();
  changed += ParseNumber<uint64_t>(answer.body.substr(0, answer.body.find('\n'))).value_or(0);
  return kExitOk;
}

using DeadRows = std::array<SpoolRow, kSpoolDeadRowsMax>;

/// The next letters behind `after` and before `end`, as many as one request takes.
int FindDead(SpoolSource& source, SpoolRow after, SpoolRow end, DeadRows& rows, size_t& count) {
  count = 0;
  for (;;) {
    if (const int code = source.Reopen(); code != kExitOk) return code;
    Status status = source.reader().Walk(Kept::kDead, after);
    while (status.ok()) {
      KeptRecord record;
      const Result<bool> more = source.reader().Next(record);
      status = more.status();
      if (!status.ok()) break;
      if (!more.value() || record.record.row >= end || count == rows.size()) return kExitOk;
      after = rows[count++] = record.record.row;
    }
    if (!source.Changed()) return source.Complaint(status);
  }
}

/// `limpet dead retry` and `purge`.
int Act(SpoolSource& source, const Args& args) {
  for (size_t i = 0; i < args.operand_count; ++i) {
    SpoolRow row = 0;
    if (const int code = ParseId(args.operands[i], row); code != kExitOk) return code;
  }
  if (!source.running()) {
    Complain("dead letters are moved by a running limpet: start it first");
    return kExitUnavailable;
  }
  // Those that are there now: what dies once more while it is retried has a new number.
  const SpoolRow end = source.reader().state().next_row;
  DeadRows rows;
  size_t operand = 0, count = 0;
  uint64_t wanted = 0, changed = 0;
  for (SpoolRow last = 0;; last = rows[count - 1]) {
    if (args.operand_count == 0) {
      if (const int code = FindDead(source, last, end, rows, count); code != kExitOk) return code;
    } else {
      for (count = 0; operand < args.operand_count && count < rows.size(); ++operand) {
        (void)ParseId(args.operands[operand], rows[count++]);
      }
    }
    if (count == 0) break;
    wanted += count;
    // A job moves as many as one transaction may change: on with the rest until nothing moves. They
    // go in this order, so that of those behind as many as went none was passed over.
    for (std::span<const SpoolRow> rest = std::span(rows).first(count); !rest.empty();) {
      const uint64_t before = changed;
      const int code = ActOn(source.question(), args.action, rest, changed);
      if (code != kExitOk) return code;
      if (changed == before) break;
      rest = rest.subspan(std::min(rest.size(), static_cast<size_t>(changed - before)));
    }
  }
  TextBuffer<160> text;
  WriteCount(text, changed, Kept::kDead);
  text << (args.action == Action::kRetry ? " put back into the line" : " purged");
  if (changed < wanted) text << "; for " << wanted - changed << " there was no such letter, or no room";
  text << '\n';
  if (!WriteStdout(text.text())) return kExitIo;
  return changed < wanted ? kExitNoInput : kExitOk;
}

}  // namespace

int SpoolCommand(const Args& args) {
  SpoolSource* const source = SpoolSource::Make();
  if (source == nullptr) return kExitTryAgain;
  if (const int code = source->Open(args); code != kExitOk) return code;
  switch (args.action) {
    case Action::kList: return List(*source, args);
    case Action::kShow: return Show(*source, args);
    case Action::kExport: return Export(*source, args.operands[0]);
    default: return Verify(*source);
  }
}

int DeadCommand(const Args& args) {
  SpoolSource* const source = SpoolSource::Make();
  if (source == nullptr) return kExitTryAgain;
  if (const int code = source->Open(args); code != kExitOk) return code;
  switch (args.action) {
    case Action::kList: return List(*source, args);
    case Action::kShow: return Show(*source, args);
    default: return Act(*source, args);
  }
}

}  // namespace limpet
