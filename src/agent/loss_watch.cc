#include "agent/loss_watch.h"

#include <algorithm>

namespace limpet {
namespace {

// Only a mistake or a wish drops for the others: a batch nobody wants, an end, a limit that was set.
constexpr DropReason kWorrying[] = {DropReason::kOverflow, DropReason::kDamaged,
                                    DropReason::kSourceFull};

void Add(Loss& to, const Loss& more) {
  to.items += more.items;
  if (more.first != UnixTime{}) {
    to.first = to.first == UnixTime{} ? more.first : std::min(to.first, more.first);
  }
  to.last = std::max(to.last, more.last);
}

}  // namespace

MonoTime LossWatch::OnTime(const Stamp& now) {
  MonoTime next = kNever;
  for (const Signal signal : kSignals) {
    for (size_t r = 0; r < kDropReasonCount; ++r) {
      const auto reason = static_cast<DropReason>(r);
      Episode& episode = episodes_[Index(signal)][r];
      const Loss loss = ledger_.TakeLoss(signal, reason);
      if (loss.items > 0) {
        if (!episode.going_on) {
          episode = {.going_on = true, .last_drop = {}, .last_told = now.mono, .untold = {}, .items = 0};
          log_.Error("items are being dropped",
                     {{"signal", SignalName(signal)}, {"reason", DropReasonName(reason)}});
        }
        episode.last_drop = now.mono;
        episode.items += loss.items;
        Add(episode.untold, loss);
      }
      if (!episode.going_on) continue;
      const bool over = episode.last_drop + kGap <= now.mono;
      if (over || (episode.last_told + kRemind <= now.mono && episode.untold.items > 0)) {
        if (episode.untold.items > 0) {
          Tell(signal, DropReasonName(reason), &episode.untold, episode.untold.first,
               episode.untold.last, now);
        }
        episode.untold = {};
        episode.last_told = now.mono;
      }
      if (over) {
        episode.going_on = false;
        log_.Warn("no more items are dropped", {{"signal", SignalName(signal)},
                                                {"reason", DropReasonName(reason)},
                                                {"dropped", episode.items}});
        continue;
      }
      next = std::min(next, episode.last_drop + kGap);
      if (episode.untold.items > 0) next = std::min(next, episode.last_told + kRemind);
    }
  }
  return next;
}

void LossWatch::Finish(const Stamp& now) {
  (void)OnTime(now);
  for (const Signal signal : kSignals) {
    for (size_t r = 0; r < kDropReasonCount; ++r) {
      Episode& episode = episodes_[Index(signal)][r];
      if (episode.untold.items == 0) continue;
      Tell(signal, DropReasonName(static_cast<DropReason>(r)), &episode.untold, episode.untold.first,
           episode.untold.last, now);
      episode.untold = {};
    }
  }
}

void LossWatch::TellOfCrash(Signal signal, UnixTime first, UnixTime last, const Stamp& now) {
  Tell(signal, "crash", nullptr, first, last, now);
}

/// loss: nullptr when nobody knows how much.
void LossWatch::Tell(Signal signal, std::string_view reason, const Loss* loss, UnixTime first,
                     UnixTime last, const Stamp& now) {
  if (events_ == nullptr) return;
  std::array<Attribute, 5> attributes = {{{"limpet.signal", SignalName(signal)},
                                          {"limpet.reason", reason},
                                          {"limpet.first", first.ns},
                                          {"limpet.last", last.ns},
                                          {"limpet.count", int64_t{0}}}};
  size_t count = 4;
  if (loss != nullptr) attributes[count++] = {"limpet.count", static_cast<int64_t>(loss->items)};
  events_->Begin(resource_, now);
  (void)events_->Record({.time = now.wall,
                         .severity = Severity::kWarn,
                         .severity_text = "WARN",
                         .attributes = std::span(attributes).first(count),
                         .event_name = "limpet.data_lost"});
  events_->Finish();
}

bool LossWatch::dropping() const {
  for (const auto& reasons : episodes_) {
    for (const DropReason reason : kWorrying) {
      if (reasons[static_cast<size_t>(reason)].going_on) return true;
    }
  }
  return false;
}

}  // namespace limpet
