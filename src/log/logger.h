// limpet's own log: one line an event, logfmt or JSON, at most a few of the same message a minute.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "config/config.h"
#include "limpet/log.h"
#include "limpet/time.h"

namespace limpet {

/// Where lines go: stderr, or a test.
class LogOutput {
 public:
  /// line: with its newline.
  virtual void WriteLine(std::string_view line) = 0;

 protected:
  ~LogOutput() = default;
};

class Logger final : public Log {
 public:
  static constexpr uint32_t kBurst = 64;            ///< Lines of one message …
  static constexpr Duration kWindow = Seconds(60);  ///< … in this time; then they are counted.
  static constexpr size_t kMessages = 64;           ///< Messages remembered at once.
  static constexpr size_t kLineBytes = 2048;        ///< Longer lines are cut.

  Logger(LogOutput& output, Clock& clock) : output_(output), clock_(clock) {}

  /// Until then: info, text.
  void Configure(Level level, LogFormat format) { level_ = level, format_ = format; }

  void Write(Level level, const char* message, std::initializer_list<LogField> fields) override;

  /// A line that somebody asked for: past level and rate limit.
  void Report(const char* message, std::initializer_list<LogField> fields);

 private:
  struct Window {
    const char* message = nullptr;
    MonoTime since;
    uint32_t lines = 0;
    uint64_t suppressed = 0;
  };
  void WriteLine(Level level, const char* message, std::initializer_list<LogField> fields,
                 uint64_t suppressed);
  bool Admit(const char* message, uint64_t* suppressed);

  LogOutput& output_;
  Clock& clock_;
  Level level_ = Level::kInfo;
  LogFormat format_ = LogFormat::kText;
  std::array<Window, kMessages> windows_{};
};

}  // namespace limpet
