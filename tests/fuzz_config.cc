// Fuzzes the configuration: any bytes load or are refused, and what loads can be printed and loaded
// again. For libFuzzer, or any driver that calls its entry point.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "config/load.h"
#include "config/print.h"

namespace limpet {
namespace {

/// The only file there is, and no variables but one.
class World final : public Files, public Variables, public ErrorSink {
 public:
  explicit World(std::string_view text) : text_(text) {}

  Result<int> Open(std::string_view path) override {
    if (path != "fuzz.ini") return {Code::kNotFound, 0, "open"};
    return 1;
  }
  Result<size_t> ReadAt(int, uint64_t offset, std::span<char> into) override {
    if (offset >= text_.size()) return size_t{0};
    const std::string_view rest = text_.substr(static_cast<size_t>(offset)).substr(0, into.size());
    std::memcpy(into.data(), rest.data(), rest.size());
    return rest.size();
  }
  void Close(int) override {}
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Result<std::string_view> ReadLink(std::string_view, std::span<char>) override {
    return {Code::kNotFound, 0, "readlink"};
  }
  Status ListNames(std::string_view, NameSink& sink) override {
    sink.OnName("a.ini");
    return {};
  }
  std::optional<std::string_view> Variable(std::string_view name) override {
    if (name != "A") return std::nullopt;
    return " a;\"\\$ ";
  }
  void OnError(std::string_view, int, std::string_view) override {}

 private:
  std::string_view text_;
};

char scratch[kConfigBytesMax];
char arena[64 * 1024];

Status Load(std::string_view text, Config& config) {
  World world(text);
  return LoadConfig({.path = "fuzz.ini", .settings = {}, .files = world,
                     .variables = world, .scratch = scratch, .arena = arena},
                    config, world);
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  static char first[128 * 1024], second[128 * 1024];
  Config config;
  if (!Load({reinterpret_cast<const char*>(data), size}, config).ok()) return 0;
  TextWriter printed(first), again(second);
  PrintConfig(printed, config);
  // Escapes may make a line, and the sum, longer than what is read.
  if (printed.overflowed() || size > 1000) return 0;
  LIMPET_CHECK(Load(printed.text(), config).ok());
  PrintConfig(again, config);
  LIMPET_CHECK(printed.text() == again.text());
  return 0;
}
