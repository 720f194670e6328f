#include "spool/state.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "batch/gzip.h"

namespace limpet {
namespace {

constexpr std::string_view kInstance = "instance";

struct SectionKind {
  std::string_view prefix;
  std::array<std::string_view, KeptAccount::Section::kCountsMax> names;
};
constexpr SectionKind kSectionKinds[] = {
    {"destination.", {"metrics.delivered", "metrics.rejected", "logs.delivered", "logs.rejected", "traces.delivered",
                      "traces.rejected"}},
    {"log.", {"truncated", "invalid_utf8", "undecoded", "lost"}},
    {"boot", {"start", "id_high", "id_low"}},
};

std::span<const uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// What the names of an attempt have behind the signal: "", ".1", ...
std::string_view Place(size_t n) {
  constexpr std::array<std::string_view, kTriedMax> kPlaces = {"", ".1", ".2", ".3", ".4"};
  return kPlaces[n];
}

/// Calls visit(name, number, number of `other`) for every number: the one list of their names.
template <typename State, typename Visit>
Status ForEachNumber(State& state, const SpoolState& other, Visit visit) {
  TextBuffer<64> name;
  const auto at = [&name](auto... parts) {
    name.Clear();
    (name << ... << parts);
    return name.text();
  };
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    const std::string_view s = SignalName(signal);
    auto& account = state.account.accounts[i];
    const Account& old = other.account.accounts[i];
    LIMPET_TRY(visit(at(s, ".delivered"), account.delivered, old.delivered));
    LIMPET_TRY(visit(at(s, ".rejected"), account.rejected, old.rejected));
    LIMPET_TRY(visit(at(s, ".dead"), account.dead, old.dead));
    for (size_t r = 0; r < kDropReasonCount; ++r) {
      const std::string_view reason = DropReasonName(static_cast<DropReason>(r));
      LIMPET_TRY(visit(at(s, ".dropped.", reason), account.dropped[r], old.dropped[r]));
    }
    LIMPET_TRY(visit(at(s, ".done"), state.done[i], other.done[i]));
    for (size_t n = 0; n < kTriedMax; ++n) {
      auto& tried = state.tried[i][n];
      const TriedRow& before = other.tried[i][n];
      LIMPET_TRY(visit(at(s, Place(n), ".tried"), tried.row, before.row));
      LIMPET_TRY(visit(at(s, Place(n), ".attempts"), tried.attempts, before.attempts));
      LIMPET_TRY(visit(at(s, Place(n), ".first_attempt"), tried.first_attempt, before.first_attempt));
      LIMPET_TRY(visit(at(s, Place(n), ".open"), tried.open, before.open));
    }
    LIMPET_TRY(visit(at(s, ".batches"), state.totals[i].batches, other.totals[i].batches));
    LIMPET_TRY(visit(at(s, ".items"), state.totals[i].items, other.totals[i].items));
    LIMPET_TRY(visit(at(s, ".bytes"), state.totals[i].bytes, other.totals[i].bytes));
  }
  LIMPET_TRY(visit("dead_bytes", state.dead_bytes, other.dead_bytes));
  LIMPET_TRY(visit("written_bytes", state.written_bytes, other.written_bytes));
  LIMPET_TRY(visit("next_row", state.next_row, other.next_row));
  LIMPET_TRY(visit("clean", state.clean, other.clean));
  return {};
}

/// The same for every text: visit(name, text, text of `other`).
template <typename State, typename Visit>
Status ForEachText(State& state, const SpoolState& other, Visit visit) {
  LIMPET_TRY(visit(kInstance, state.instance, other.instance));
  TextBuffer<64> name;
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    for (size_t n = 0; n < kTriedMax; ++n) {
      name.Clear();
      name << SignalName(signal) << Place(n) << ".destination";
      LIMPET_TRY(visit(name.text(), state.tried[i][n].destination, other.tried[i][n].destination));
    }
  }
  return {};
}

/// Of everything but the counts of sections, which only inform: a sum over the entries in any order.
uint32_t ChecksumOf(const SpoolState& state) {
  uint32_t sum = 0;
  const auto add = [&sum](std::string_view name, uint64_t value, uint64_t) {
    if (value == 0) return Status{};  // It may have no entry.
    std::array<uint8_t, 8> bytes;
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(value), value >>= 8;
    sum += Crc32(Crc32(0, BytesOf(name)), bytes);
    return Status{};
  };
  (void)ForEachNumber(state, state, add);
  (void)add("last_commit", static_cast<uint64_t>(state.last_commit), 0);
  (void)ForEachText(state, state, [&sum](std::string_view name, const auto& text, const auto&) {
    if (name == kInstance || text.text().empty()) return Status{};
    sum += Crc32(Crc32(0, BytesOf(name)), BytesOf(text.text()));
    return Status{};
  });
  return sum + Crc32(0, BytesOf(state.instance.text()));
}

/// Empty: of such a section no counts are kept.
std::span<const std::string_view> CountNames(std::string_view section) {
  for (const SectionKind& kind : kSectionKinds) {
    if (!section.starts_with(kind.prefix)) continue;
    const auto end = std::find(kind.names.begin(), kind.names.end(), std::string_view());
    return {kind.names.begin(), end};
  }
  return {};
}

/// "destination.primary.logs.delivered", "log.app.lost". Returns whether it is one of those.
bool LoadCount(std::string_view name, uint64_t value, KeptAccount& account) {
  const std::span<const std::string_view> names = CountNames(name);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!name.ends_with(names[i])) continue;
    name.remove_suffix(names[i].size() + 1);
    if (KeptAccount::Section* const section = account.At(name)) section->counts[i] = value;
    break;
  }
  return !names.empty();
}

}  // namespace

Status LoadState(Database& db, SpoolState& state, bool* sound) {
  state = {};
  Statement statement;
  LIMPET_TRY(statement.Prepare(db, "SELECT name,value FROM state"));
  int64_t checksum = -1;
  size_t rows = 0;
  for (;;) {
    const Result<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!row.value()) break;
    ++rows;
    const std::string_view name = statement.Text(0);
    bool is_text = false;
    LIMPET_TRY(ForEachText(state, state, [&](std::string_view known, auto& into, const auto&) {
      if (known != name) return Status{};
      into = statement.Text(1);
      is_text = true;
      return Status{};
    }));
    if (is_text) continue;
    const int64_t value = statement.Number(1);
    if (name == "last_commit") {
      state.last_commit = value;
      continue;
    }
    if (name == "checksum") {
      checksum = value;
      continue;
    }
    if (value < 0) return {Code::kInvalid, 0, "a damaged state"};
    if (LoadCount(name, static_cast<uint64_t>(value), state.account)) continue;
    LIMPET_TRY(ForEachNumber(state, state, [&](std::string_view known, uint64_t& into, uint64_t) {
      if (known == name) into = static_cast<uint64_t>(value);
      return Status{};
    }));
  }
  if (rows == 0) return {Code::kInvalid, 0, "an empty state"};
  const bool matches = checksum == ChecksumOf(state);
  if (sound != nullptr) *sound = matches;
  if (!matches && sound == nullptr) return {Code::kInvalid, 0, "a damaged state"};
  return {};
}

void ApplyAttempts(const SpoolState& state, SpoolRow row, BatchHeader& header) {
  for (const TriedRow& tried : state.tried[Index(header.signal)]) {
    if (tried.row != row || row == 0) continue;
    header.attempts = static_cast<uint32_t>(tried.attempts);
    header.first_attempt = UnixTime{static_cast<int64_t>(tried.first_attempt)};
    header.may_be_sent = header.may_be_sent || tried.attempts > 0 || tried.open != 0;
  }
}

Status SaveState(Database& db, const SpoolState& state, const SpoolState& saved) {
  Statement statement;
  LIMPET_TRY(statement.Prepare(db, "INSERT OR REPLACE INTO state(name,value) VALUES(?1,?2)"));
  const auto save = [&](std::string_view name, uint64_t value, uint64_t before) {
    if (value == before) return Status{};
    statement.Bind(1, name);
    statement.Bind(2, static_cast<int64_t>(value));
    return statement.Run();
  };
  LIMPET_TRY(ForEachNumber(state, saved, save));
  TextBuffer<96> name;
  for (size_t i = 0; i < state.account.section_count; ++i) {
    const KeptAccount::Section& now = state.account.sections[i];
    const KeptAccount::Section* const before = saved.account.Find(now.name.text());
    const std::span<const std::string_view> names = CountNames(now.name.text());
    for (size_t n = 0; n < names.size(); ++n) {
      name.Clear();
      name << now.name.text() << '.' << names[n];
      LIMPET_TRY(save(name.text(), now.counts[n], before != nullptr ? before->counts[n] : 0));
    }
  }
  LIMPET_TRY(ForEachText(state, saved, [&](std::string_view known, const auto& text, const auto& before) {
    if (text.text() == before.text()) return Status{};
    statement.Bind(1, known);
    statement.Bind(2, text.text());
    return statement.Run();
  }));
  statement.Bind(1, std::string_view("last_commit"));
  statement.Bind(2, state.last_commit);
  LIMPET_TRY(statement.Run());
  statement.Bind(1, std::string_view("checksum"));
  statement.Bind(2, int64_t{ChecksumOf(state)});
  return statement.Run();
}

}  // namespace limpet
