// What a source of logs shows of itself: for status and metrics.
#pragma once

#include <cstdint>

namespace limpet {

/// What a source of logs has had since the start.
struct LoggedView {
  uint64_t records = 0;     ///< Taken.
  uint64_t filtered = 0;    ///< Left out by severity_min or a pattern.
  uint64_t dropped = 0;     ///< More than rate_limit, or larger than a batch.
  uint64_t truncated = 0;   ///< Records that were taken with this mark,
  uint64_t invalid_utf8 = 0, undecoded = 0;  ///< and with these.
  uint64_t lost = 0;        ///< Gone before they could be read: datagrams, entries of a journal, messages of the kernel.
  uint64_t open = 0;        ///< Files or connections, now.
  bool kernel = false;      ///< It reads the kernel's log.
};

/// Those that go on over restarts, as the spool has them.
inline constexpr uint64_t LoggedView::* kKeptOfLogs[] = {&LoggedView::truncated, &LoggedView::invalid_utf8,
                                                         &LoggedView::undecoded, &LoggedView::lost};

}  // namespace limpet
