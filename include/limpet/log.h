// limpet's own log, as the core sees it: a level, a literal message, a few fields.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>

namespace limpet {

enum class Level : uint8_t { kError, kWarn, kInfo, kDebug };

/// One key with a text or a number. The text must live until Write returns; never a secret.
struct LogField {
  constexpr LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
  constexpr LogField(std::string_view k, const char* v) : key(k), text(v) {}
  template <typename Integer>
    requires(std::is_integral_v<Integer>)
  constexpr LogField(std::string_view k, Integer v)
      : key(k), number(static_cast<int64_t>(v)), is_number(true) {}

  std::string_view key;
  std::string_view text;
  int64_t number = 0;
  bool is_number = false;
};

class Log {
 public:
  /// message: a literal; its address is the key of the rate limit.
  virtual void Write(Level level, const char* message, std::initializer_list<LogField> fields) = 0;

  void Error(const char* m, std::initializer_list<LogField> f = {}) { Write(Level::kError, m, f); }
  void Warn(const char* m, std::initializer_list<LogField> f = {}) { Write(Level::kWarn, m, f); }
  void Info(const char* m, std::initializer_list<LogField> f = {}) { Write(Level::kInfo, m, f); }
  void Debug(const char* m, std::initializer_list<LogField> f = {}) { Write(Level::kDebug, m, f); }

 protected:
  ~Log() = default;
};

}  // namespace limpet
