#include "log/logger.h"

#include <algorithm>

#include "base/calendar.h"
#include "base/text.h"

namespace limpet {
namespace {

std::string_view LevelName(Level level) {
  constexpr std::array<std::string_view, 4> kNames = {"error", "warn", "info", "debug"};
  return kNames[static_cast<size_t>(level)];
}

/// A logfmt value: as it is when it is one plain word, else as a JSON string.
void WriteValue(TextWriter& out, std::string_view value) {
  const auto plain = [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) {
    out << value;
  } else {
    out.Json(value);
  }
}

}  // namespace

/// Counts a line against its message's window. False: leave it out. suppressed: how many were left
/// out before this one.
bool Logger::Admit(const char* message, uint64_t* suppressed) {
  const MonoTime now = clock_.Monotonic();
  Window* window = &windows_[0];
  for (Window& w : windows_) {
    if (w.message == message) {
      window = &w;
      break;
    }
    if (w.since < window->since) window = &w;  // The longest quiet one gives way.
  }
  *suppressed = 0;
  if (window->message != message || window->since + kWindow <= now) {
    if (window->message == message) *suppressed = window->suppressed;
    *window = {.message = message, .since = now, .lines = 0, .suppressed = 0};
  }
  if (window->lines >= kBurst) {
    ++window->suppressed;
    return false;
  }
  ++window->lines;
  return true;
}

void Logger::Write(Level level, const char* message, std::initializer_list<LogField> fields) {
  if (level > level_) return;
  uint64_t suppressed = 0;
  if (Admit(message, &suppressed)) WriteLine(level, message, fields, suppressed);
}

void Logger::Report(const char* message, std::initializer_list<LogField> fields) {
  WriteLine(Level::kInfo, message, fields, 0);
}

void Logger::WriteLine(Level level, const char* message, std::initializer_list<LogField> fields,
                       uint64_t suppressed) {
  char buffer[kLineBytes];
  TextWriter line(std::span<char>(buffer, sizeof buffer - 2));  // Room for "}\n" at the end.
  const bool json = format_ == LogFormat::kJson;
  line << (json ? "{\"time\":\"" : "time=");
  WriteRfc3339(line, clock_.Wall());
  line << (json ? "\",\"level\":\"" : " level=") << LevelName(level);
  line << (json ? "\",\"msg\":" : " msg=");
  line.Json(message);
  const auto write = [&](const LogField& field) {
    // A field goes in whole or not at all, so that a cut line stays readable and valid.
    char piece_buffer[kLineBytes];
    TextWriter piece{std::span<char>(piece_buffer)};
    if (json) {
      piece << ',';
      piece.Json(field.key) << ':';
    } else {
      piece << ' ' << field.key << '=';
    }
    if (field.is_number) {
      piece << field.number;
    } else if (json) {
      piece.Json(field.text);
    } else {
      WriteValue(piece, field.text);
    }
    if (!piece.overflowed() && piece.size() <= line.room()) line << piece.text();
  };
  for (const LogField& field : fields) write(field);
  if (suppressed > 0) write(LogField("suppressed", suppressed));

  size_t size = line.size();
  if (json) buffer[size++] = '}';
  buffer[size++] = '\n';
  output_.WriteLine(std::string_view(buffer, size));
}

}  // namespace limpet
