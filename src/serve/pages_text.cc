#include "serve/pages.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace limpet {
namespace {

constexpr size_t kLabelColumns = 13;

enum class Tone : uint8_t { kPlain, kGood, kDoubt, kBad, kFaint };

std::string_view Escape(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kDoubt:
      return "\x1b[33m";
    case Tone::kBad:
      return "\x1b[1;31m";
    case Tone::kFaint:
      return "\x1b[2m";
    case Tone::kPlain:
      break;
  }
  return "";
}

class StatusText {
 public:
  StatusText(const Snapshot& snapshot, bool colour, TextWriter& out)
      : s_(snapshot), colour_(colour), out_(out) {}

  void Head();
  void Ledger();
  void Stores();
  void Spool();
  void Destinations();
  void Sources();
  void Clock();
  void Pools();

 private:
  void Label(std::string_view text);
  void Toned(Tone tone, std::string_view text);
  void Right(std::string_view text, size_t columns, Tone tone = Tone::kPlain);
  void Right(uint64_t value, size_t columns, Tone tone = Tone::kPlain);
  void Ago(UnixTime time);

  const Snapshot& s_;
  const bool colour_;
  TextWriter& out_;
};

void Pad(TextWriter& out, size_t used, size_t columns) {
  for (size_t i = used; i < columns; ++i) out << ' ';
}

void StatusText::Label(std::string_view text) {
  out_ << text;
  Pad(out_, text.size(), kLabelColumns - 1);
  out_ << ' ';
}

void StatusText::Toned(Tone tone, std::string_view text) {
  const bool escaped = colour_ && tone != Tone::kPlain;
  if (escaped) out_ << Escape(tone);
  out_ << text;
  if (escaped) out_ << "\x1b[0m";
}

void StatusText::Right(std::string_view text, size_t columns, Tone tone) {
  Pad(out_, text.size(), columns);
  Toned(tone, text);
}

void StatusText::Right(uint64_t value, size_t columns, Tone tone) {
  TextBuffer<24> digits;
  digits << value;
  Right(digits.text(), columns, tone);
}

void StatusText::Ago(UnixTime time) {
  if (time == UnixTime{}) {
    out_ << "never";
    return;
  }
  WriteDuration(out_, std::max(s_.wall - time, Duration{}));
  out_ << " ago";
}

void StatusText::Head() {
  out_ << "limpet " << s_.version << "  up ";
  WriteDuration(out_, s_.uptime);
  out_ << "  ";
  Toned(s_.health.ok ? Tone::kGood : Tone::kBad, s_.health.ok ? "healthy" : "NOT HEALTHY");
  const bool well = s_.health.delivery == "ok" || s_.health.delivery == "idle";
  out_ << "  delivery ";
  Toned(well ? Tone::kGood : Tone::kDoubt, s_.health.delivery);
  if (!s_.health.ready) out_ << "  not ready yet";
  out_ << '\n';
  for (size_t i = 0; i < s_.health.reason_count; ++i) {
    out_ << "  ";
    Toned(Tone::kBad, "! ");
    out_ << s_.health.reasons[i] << '\n';
  }
  Toned(Tone::kFaint, "instance ");
  Toned(Tone::kFaint, s_.instance);
  out_ << "\n\n";
}

void StatusText::Ledger() {
  constexpr std::array<std::string_view, 6> kColumns = {"collected", "delivered", "rejected",
                                                        "dropped",   "dead",      "held"};
  constexpr std::array<size_t, 6> kWidths = {13, 13, 10, 10, 8, 10};
  Label("");
  for (size_t i = 0; i < kColumns.size(); ++i) Right(kColumns[i], kWidths[i], Tone::kFaint);
  out_ << '\n';
  for (const Signal signal : kSignals) {
    const Account& account = s_.ledger[Index(signal)];
    const std::array<uint64_t, 6> values = {
        account.collected,       account.delivered, account.rejected,
        account.dropped_total(), account.dead,      s_.held[Index(signal)].total()};
    Label(SignalName(signal));
    for (size_t i = 0; i < values.size(); ++i) {
      const bool lost = i == 3 && values[i] != 0;
      const bool doubtful = (i == 2 || i == 4) && values[i] != 0;
      Right(values[i], kWidths[i], lost ? Tone::kBad : doubtful ? Tone::kDoubt : Tone::kPlain);
    }
    out_ << '\n';
  }
  for (const Signal signal : kSignals) {
    const Account& account = s_.ledger[Index(signal)];
    if (account.dropped_total() == 0) continue;
    Label("dropped");
    out_ << SignalName(signal) << ':';
    const char* separator = " ";
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      if (account.dropped[i] == 0) continue;
      out_ << separator << account.dropped[i] << ' ' << DropReasonName(static_cast<DropReason>(i));
      separator = ", ";
    }
    out_ << '\n';
  }
  out_ << '\n';
}

void StatusText::Stores() {
  Held sum;
  for (const Held& held : s_.held) {
    sum.open += held.open;
    sum.memory += held.memory;
    sum.spool += held.spool;
  }
  Label("held");
  out_ << sum.open << " open, " << sum.memory << " in memory, " << sum.spool << " in the spool\n";
  Label("queue");
  out_ << s_.queue.batches << (s_.queue.batches == 1 ? " batch, " : " batches, ");
  WriteBytes(out_, s_.queue.bytes);
  out_ << " of ";
  WriteBytes(out_, s_.queue.capacity_bytes);
  if (s_.queue.capacity_bytes != 0) {
    const uint64_t percent = s_.queue.bytes * 100 / s_.queue.capacity_bytes;
    TextBuffer<24> share;
    share << percent << " %";
    out_ << " (";
    Toned(percent >= 80 ? Tone::kBad : Tone::kPlain, share.text());
    out_ << ')';
  }
  if (s_.queue.oldest > Duration{}) {
    out_ << ", oldest ";
    WriteDuration(out_, s_.queue.oldest);
  }
  out_ << '\n';
}

void StatusText::Spool() {
  const auto& spool = s_.spool;
  const bool unusable = spool.state == "unusable";
  Label("spool");
  Toned(unusable ? Tone::kBad : Tone::kPlain, spool.state);
  if (spool.max_bytes != 0) {
    out_ << ", " << spool.batches << (spool.batches == 1 ? " batch, " : " batches, ");
    WriteBytes(out_, spool.bytes);
    out_ << " of ";
    WriteBytes(out_, spool.max_bytes);
  }
  if (spool.oldest > Duration{}) {
    out_ << ", oldest ";
    WriteDuration(out_, spool.oldest);
  }
  if (spool.damaged != 0) {
    TextBuffer<32> damaged;
    damaged << spool.damaged << " damaged";
    out_ << ", ";
    Toned(Tone::kBad, damaged.text());
  }
  if (!spool.problem.empty()) {
    out_ << ": ";
    Toned(unusable ? Tone::kBad : Tone::kDoubt, spool.problem);
  }
  out_ << '\n';
}

void StatusText::Destinations() {
  for (const DestinationView& d : s_.destinations) {
    Label("destination");
    out_ << d.name << "  " << d.url << '\n';
    Label("");
    out_ << "priority " << d.priority << ", breaker ";
    const Tone tone = d.breaker == BreakerState::kClosed     ? Tone::kGood
                      : d.breaker == BreakerState::kHalfOpen ? Tone::kDoubt
                                                             : Tone::kBad;
    Toned(tone, BreakerStateName(d.breaker));
    bool active = false;
    for (const Signal signal : kSignals) {
      if (!d.active[Index(signal)]) continue;
      out_ << (active ? ", " : ", active for ") << SignalName(signal);
      active = true;
    }
    if (!active) out_ << ", no traffic";
    out_ << '\n';
    Label("");
    out_ << "last success ";
    Ago(d.last_success);
    if (d.in_flight) {
      out_ << ", a request in flight";
    } else if (d.next_attempt_in > Duration{}) {
      out_ << ", next attempt in ";
      WriteDuration(out_, d.next_attempt_in);
    } else if (d.quiet_left > Duration{}) {
      out_ << ", works again: healthy in ";
      WriteDuration(out_, d.quiet_left);
    }
    out_ << '\n';
    if (d.last_error.empty()) continue;
    Label("");
    out_ << "last error ";
    Ago(d.last_error_time);
    out_ << ": ";
    const bool current = d.last_error_time > d.last_success;
    Toned(current ? Tone::kBad : Tone::kFaint, d.last_error);
    out_ << '\n';
  }
}

void StatusText::Sources() {
  for (const SourceView& source : s_.sources) {
    Label("source");
    out_ << source.name;
    std::string_view separator = "  ";
    const SourceCounts counts = CountsOf(source);
    for (const SourceCount& count : std::span(counts.counts).first(counts.size)) {
      const bool always = count.shown == SourceCount::Shown::kAlways;
      if (count.value == 0 && !always) continue;
      out_ << separator;
      separator = ", ";
      TextBuffer<64> text;
      text << count.value << ' ' << (count.value == 1 ? count.one : count.many);
      Toned(count.shown == SourceCount::Shown::kAsDoubt ? Tone::kDoubt : Tone::kPlain, text.text());
    }
    if (!source.problem.empty()) {
      out_ << ": ";
      Toned(Tone::kDoubt, source.problem);
    }
    out_ << '\n';
  }
}

void StatusText::Clock() {
  Label("clock");
  Toned(s_.clock.state == "trusted" ? Tone::kGood : Tone::kDoubt, s_.clock.state);
  out_ << ", " << s_.clock.steps << (s_.clock.steps == 1 ? " step" : " steps");
  if (s_.clock.skew_known) {
    out_ << ", destination ahead by ";
    out_.Fixed(ToSeconds(s_.clock.skew), 3) << " s";
  }
  out_ << "\n\n";
}

void StatusText::Pools() {
  Label("pool");
  for (const std::string_view column : {"bytes", "used", "peak"}) Right(column, 12, Tone::kFaint);
  Right("peak %", 8, Tone::kFaint);
  Right("refused", 10, Tone::kFaint);
  out_ << '\n';
  for (const PoolUse& pool : s_.pools) {
    Label(pool.name);
    for (const size_t bytes : {pool.bytes, pool.used, pool.peak}) {
      TextBuffer<24> text;
      WriteBytes(text, bytes);
      Right(text.text(), 12);
    }
    const uint64_t percent = pool.bytes == 0 ? 0 : uint64_t{pool.peak} * 100 / pool.bytes;
    Right(percent, 8, percent >= 90 ? Tone::kDoubt : Tone::kPlain);
    Right(uint64_t{pool.refused}, 10, pool.refused != 0 ? Tone::kBad : Tone::kPlain);
    out_ << '\n';
  }
}

}  // namespace

void WriteStatusText(const Snapshot& snapshot, bool colour, TextWriter& out) {
  StatusText text(snapshot, colour, out);
  text.Head();
  text.Ledger();
  text.Stores();
  text.Spool();
  text.Destinations();
  text.Sources();
  text.Clock();
  text.Pools();
}

void WriteBytes(TextWriter& out, uint64_t bytes) {
  if (bytes < 1024) {
    out << bytes << " B";
    return;
  }
  constexpr std::array<const char*, 3> kUnits = {" KiB", " MiB", " GiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  out.Fixed(value, 1) << kUnits[unit];
}

void WriteDuration(TextWriter& out, Duration duration) {
  const int64_t seconds = duration.ns / 1'000'000'000;
  if (seconds < 10) {
    out.Fixed(ToSeconds(duration), duration.ns % 1'000'000'000 == 0 ? 0 : 2) << " s";
    return;
  }
  struct Unit {
    int64_t seconds;
    const char* name;
  };
  constexpr std::array<Unit, 4> kUnits = {{{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}}};
  size_t i = 0;
  while (seconds < kUnits[i].seconds) ++i;
  out << seconds / kUnits[i].seconds << kUnits[i].name;
  if (i + 1 == kUnits.size()) return;
  const int64_t rest = seconds % kUnits[i].seconds / kUnits[i + 1].seconds;
  if (rest != 0) out << ' ' << rest << kUnits[i + 1].name;
}

}  // namespace limpet
