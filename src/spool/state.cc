#include "spool/state.h"

#include <array>
#include <string_view>

#include "base/text.h"
#include "batch/gzip.h"

namespace limpet {
namespace {

constexpr std::string_view kInstance = "instance";
constexpr std::string_view kDestination = "destination.";

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

/// Of everything but the destinations' counts, which only inform: a sum over the entries in any order.
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

using Destination = KeptAccount::Destination;

/// The destination's slot, made when it is new; nullptr: there are too many.
Destination* SlotOf(KeptAccount& account, std::string_view name) {
  for (size_t i = 0; i < account.destination_count; ++i) {
    if (account.destinations[i].name.text() == name) return &account.destinations[i];
  }
  if (account.destination_count == account.destinations.size()) return nullptr;
  Destination& made = account.destinations[account.destination_count++];
  made = {};
  made.name = name;
  return &made;
}

/// "destination.NAME.SIGNAL.delivered", where NAME has no dot.
void LoadDestination(std::string_view name, uint64_t value, KeptAccount& account) {
  name.remove_prefix(kDestination.size());
  Destination* const slot = SlotOf(account, TakeUntil(name, '.'));
  const std::string_view signal_name = TakeUntil(name, '.');
  if (slot == nullptr) return;
  for (const Signal signal : kSignals) {
    if (SignalName(signal) != signal_name) continue;
    if (name == "delivered") slot->delivered[Index(signal)] = value;
    if (name == "rejected") slot->rejected[Index(signal)] = value;
  }
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
    if (name.starts_with(kDestination)) {
      LoadDestination(name, static_cast<uint64_t>(value), state.account);
      continue;
    }
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
  for (size_t i = 0; i < state.account.destination_count; ++i) {
    const Destination& now = state.account.destinations[i];
    const bool known = i < saved.account.destination_count &&
                       saved.account.destinations[i].name.text() == now.name.text();
    const Destination before = known ? saved.account.destinations[i] : Destination{};
    for (const Signal signal : kSignals) {
      const size_t s = Index(signal);
      name.Clear();
      name << kDestination << now.name.text() << '.' << SignalName(signal);
      const size_t stem = name.size();
      name << ".delivered";
      LIMPET_TRY(save(name.text(), now.delivered[s], before.delivered[s]));
      const std::string_view signal_part = name.text().substr(0, stem);
      TextBuffer<96> rejected;
      rejected << signal_part << ".rejected";
      LIMPET_TRY(save(rejected.text(), now.rejected[s], before.rejected[s]));
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
