#include "logs/container_line.h"

#include "base/text.h"
#include "base/time_format.h"
#include "otlp/json_reader.h"

namespace limpet {
namespace {

constexpr Status kNoCri{Code::kInvalid, 0, "CRI line"};
constexpr Status kNoDocker{Code::kInvalid, 0, "json-file line"};

bool IsStream(std::string_view name) { return name == "stdout" || name == "stderr"; }

}  // namespace

Status ParseCri(std::string_view line, ContainerLine& into) {
  ContainerLine got;
  const std::string_view time = TakeUntil(line, ' ');
  got.stream = TakeUntil(line, ' ');
  std::string_view tags = TakeUntil(line, ' ');
  const std::string_view tag = TakeUntil(tags, ':');
  if (!IsStream(got.stream) || (tag != "F" && tag != "P")) return kNoCri;
  const Result<UnixTime> read = ParseTime("auto", time, UnixTime{});
  if (!read.ok()) return kNoCri;
  got.time = read.value();
  got.text = line;
  got.partial = tag == "P";
  into = got;
  return {};
}

Status ParseDocker(std::string_view line, std::span<char> scratch, ContainerLine& into) {
  JsonReader in(line, JsonReader::Strings::kRepaired);
  ContainerLine got;
  bool has_log = false;
  for (in.Enter('{'); in.More('}');) {
    const std::string_view name = in.Name();
    if (name == "log" && in.Take('"')) {
      if (!in.Text(scratch, got.text)) return {Code::kFull, 0, "json-file line"};
      has_log = true;
      // Not to be written over by another one.
      if (got.text.data() == scratch.data()) scratch = scratch.subspan(got.text.size());
    } else if (name == "stream" && in.Take('"')) {
      const std::string_view stream = in.Short();
      got.stream = stream == "stderr" ? "stderr" : stream == "stdout" ? "stdout" : "";
    } else if (name == "time" && in.Take('"')) {
      const Result<UnixTime> time = ParseTime("auto", in.Short(), UnixTime{});
      if (time.ok()) got.time = time.value();
    } else {
      in.Skip();
    }
  }
  in.End();
  if (!in.ok() || !has_log) return kNoDocker;
  got.partial = !got.text.ends_with('\n');
  if (!got.partial) got.text.remove_suffix(1);
  if (!got.partial && got.text.ends_with('\r')) got.text.remove_suffix(1);  // Of a terminal.
  into = got;
  return {};
}

}  // namespace limpet
