// Lines for whoever looks at standard output, in their own time.
#pragma once

#include <ctime>

#include "port/linux/host.h"
#include "sink/line_out.h"
#include "sink/printers.h"

namespace limpet {

class StdoutLines final : public LineWriter {
 public:
  void Write(std::string_view text) override { broken_ = broken_ || !WriteStdout(text); }
  bool broken() const { return broken_; }

 private:
  bool broken_ = false;
};

/// After tzset().
class LocalTime final : public TimeZone {
 public:
  Duration OffsetAt(UnixTime time) override {
    const auto seconds = static_cast<time_t>(time.ns / 1'000'000'000);
    tm local{};
    if (localtime_r(&seconds, &local) == nullptr) return {};
    return Seconds(local.tm_gmtoff);
  }
};

}  // namespace limpet
