// Fuzzes what cuts files into records, and patterns over records. The first byte chooses: one of the splitter's
// formats, whose second byte is max_line and the rest a file; or a pattern, up to the first line end, and the
// text it is run over. For libFuzzer, or any driver that calls its entry point.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "logs/pattern.h"
#include "logs/record_splitter.h"

namespace limpet {
namespace {

/// multiline = ^#
struct HashStart final : RecordStart {
  bool Begins(std::string_view line) override { return line.starts_with('#'); }
};

/// All records, read through a buffer of `text_max` of a file that grows by `step`; where each begins, and its text.
std::vector<std::string> Records(const LogConfig& config, std::string_view file, size_t text_max, size_t step) {
  HashStart start;
  std::vector<char> scratch(RecordSplitter::ScratchBytes(config, text_max));
  RecordSplitter splitter(config, config.multiline_pattern() ? &start : nullptr, text_max, scratch);
  std::vector<std::string> records;
  size_t position = 0;
  for (size_t size = std::min(step, file.size());; size = std::min(size + step, file.size())) {
    const bool end = size == file.size();
    while (position < size) {
      const std::string_view text = file.substr(0, size).substr(position, text_max);
      const bool all = position + text.size() == size;
      SplitRecord record;
      LineEnd line_end;
      const auto found = splitter.Next(text, end && all, end && all, record, line_end);
      LIMPET_CHECK(found != RecordSplitter::Found::kNeedMore || (all && !end && text.size() < text_max));
      if (found == RecordSplitter::Found::kNeedMore) break;
      if (found == RecordSplitter::Found::kLongLine) {
        size_t scanned = position + record.consumed;
        LIMPET_CHECK(record.consumed > 0 && scanned <= size);
        bool ended = false;
        while (!ended) {
          const std::string_view rest = file.substr(0, size).substr(scanned, text_max);
          const bool last = scanned + rest.size() == size;
          size_t consumed = 0;
          ended = splitter.Skip(rest, end && last, end && last, line_end, consumed);
          LIMPET_CHECK(consumed <= rest.size() && (ended || last || consumed > 0));
          scanned += consumed;
          if (!ended && last) break;
        }
        if (!ended) break;
        splitter.Cut(text, scanned - position, line_end, record);
        LIMPET_CHECK(record.truncated);
      }
      LIMPET_CHECK(record.consumed > 0 && position + record.consumed <= size);
      LIMPET_CHECK(record.text.size() <= config.max_line_bytes);
      records.push_back(std::to_string(position) + ' ' + std::string(record.text) + (record.truncated ? "~" : ""));
      position += record.consumed;
    }
    if (end) break;
  }
  LIMPET_CHECK(position == file.size());
  return records;
}

void Split(LineFormat format, std::string_view multiline, std::string_view data) {
  if (data.empty()) return;
  LogConfig config;
  config.format = format;
  config.multiline = multiline;
  config.max_line_bytes = 1 + static_cast<uint8_t>(data[0]);
  const std::string_view file = data.substr(1, 8192);
  const size_t large = 16384, step = 1 + file.size() / 7;
  const std::vector<std::string> records = Records(config, file, large, large);
  LIMPET_CHECK(Records(config, file, large, step) == records);
  // The records of lines do not depend on the buffer; those in envelopes may.
  const size_t small = RecordSplitter::TextMin(config.max_line_bytes);
  const std::vector<std::string> others = Records(config, file, small, step);
  LIMPET_CHECK(format != LineFormat::kPlain || others == records);
}

void Match(std::string_view data) {
  static std::vector<std::max_align_t> memory(PatternPool::BytesNeeded(1) / sizeof(std::max_align_t) + 1);
  if (!PatternsAvailable()) return;
  PatternPool pool(std::as_writable_bytes(std::span(memory)));
  const size_t end = std::min(data.find('\n'), data.size());
  Pattern pattern;
  TextBuffer<256> problem;
  const bool sound = pattern.Compile(data.substr(0, end), pool, problem).ok();
  LIMPET_CHECK(sound == (problem.size() == 0));
  if (!sound) return;
  const std::string_view text = data.substr(std::min(end + 1, data.size()), 512);
  (void)pattern.Matches(text);
  Pattern::Place place;
  for (size_t from = 0; pattern.Find(text, from, place) == Pattern::Found::kYes; from = place.end) {
    LIMPET_CHECK(place.begin >= from && place.end <= text.size() && place.end > from);
    if (!IsUtf8(text)) continue;
    LIMPET_CHECK(IsUtf8(text.substr(from, place.begin - from)) && IsUtf8(text.substr(place.end)));
  }
  pattern.Free();
}

void One(std::string_view data) {
  if (data.empty()) return;
  constexpr std::array kFormats = {LineFormat::kPlain, LineFormat::kCri, LineFormat::kDocker};
  constexpr std::array<std::string_view, 3> kMultiline = {"none", "indent", "^#"};
  const size_t choice = static_cast<uint8_t>(data[0]) % 10;
  data.remove_prefix(1);
  if (choice == 9) return Match(data);
  Split(kFormats[choice / 3], kMultiline[choice % 3], data);
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  limpet::One({reinterpret_cast<const char*>(data), size});
  return 0;
}
