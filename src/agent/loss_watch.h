// Tells of every loss: in the own log when it begins and ends, and downstream as a log record, event
// name limpet.data_lost, at the end of each episode and every minute while one lasts.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "batch/log_encoder.h"
#include "ledger/ledger.h"
#include "limpet/batch.h"
#include "limpet/log.h"
#include "limpet/time.h"

namespace limpet {

class LossWatch {
 public:
  static constexpr Duration kGap = Seconds(10);    ///< Without a drop: the episode is over.
  static constexpr Duration kRemind = Seconds(60);

  /// resource: of the records, encoded. events: nobody takes logs, so all stays in the own log.
  LossWatch(Ledger& ledger, LogEncoder* events, std::span<const uint8_t> resource, Log& log)
      : ledger_(ledger), events_(events), resource_(resource), log_(log) {}

  /// Looks at what was dropped since the last call. Returns when it wants to be called next.
  MonoTime OnTime(const Stamp& now);

  /// Tells at once what was not told yet: nobody will ask any more.
  void Finish(const Stamp& now);

  /// Tells at once that nobody knows how much of the signal was lost between these times.
  void TellOfCrash(Signal signal, UnixTime first, UnixTime last, const Stamp& now);

  /// Something is being dropped that a user would want kept: no room for it, or damage.
  bool dropping() const;

 private:
  struct Episode {
    bool going_on = false;
    MonoTime last_drop, last_told;
    Loss untold;            // Since the last record.
    uint64_t items = 0;     // Of the whole episode.
  };

  void Tell(Signal signal, std::string_view reason, const Loss* loss, UnixTime first, UnixTime last,
            const Stamp& now);

  Ledger& ledger_;
  LogEncoder* const events_;
  const std::span<const uint8_t> resource_;
  Log& log_;
  std::array<std::array<Episode, kDropReasonCount>, kSignalCount> episodes_{};
};

}  // namespace limpet
