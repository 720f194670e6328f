// What log_load.py needs beside otlp_sink: the file of lines, and the floor under what reading it can
// cost: deflating the same bytes in the same batches, with nothing read, decided or sent.
//
// usage: log_floor lines COUNT FILE   writes COUNT numbered lines of 200 bytes
//        log_floor deflate FILE       FILE: batches, each its length in 32 bits and its bytes. Prints,
//                                     separated by tabs: CPU seconds, batches, bytes in, bytes out
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "batch/gzip.h"
#include "generator/line_generator.h"

namespace limpet {
namespace {

void Must(bool fine, const char* what) {
  if (fine) return;
  std::perror(what);
  std::exit(1);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int WriteLines(uint64_t count, const char* path) {
  std::FILE* const file = std::fopen(path, "wb");
  Must(file != nullptr, path);
  char line[LineGenerator::kLineBytes];
  for (uint64_t number = 1; number <= count; ++number) {
    const std::string_view text = LineGenerator::WriteLine(number, line);
    // With its newline a line has 200 bytes; no reader may find a blank to trim at its end.
    const size_t size = text.size() - 2;
    Must(std::fwrite(text.data(), 1, size, file) == size && std::fputs(".\n", file) >= 0, path);
  }
  Must(std::fclose(file) == 0, path);
  return 0;
}

int Deflate(const char* path) {
  std::FILE* const file = std::fopen(path, "rb");
  Must(file != nullptr, path);
  std::vector<uint8_t> bytes;
  uint8_t piece[64 * 1024];
  for (size_t got; (got = std::fread(piece, 1, sizeof piece, file)) > 0;) {
    bytes.insert(bytes.end(), piece, piece + got);
  }
  std::fclose(file);
  std::vector<std::byte> memory(GzipCompressor::BytesNeeded());
  GzipCompressor packer(memory);
  std::vector<uint8_t> out;
  uint64_t batches = 0, bytes_in = 0, bytes_out = 0;
  const double before = CpuSeconds();
  for (std::span<const uint8_t> rest = bytes; !rest.empty();) {
    uint32_t size;
    std::memcpy(&size, rest.data(), sizeof size);
    if (out.size() < size + 1024) out.resize(size + 1024);
    const Result<size_t> packed = packer.Compress(rest.subspan(sizeof size, size), out);
    Must(packed.ok(), "deflate");
    ++batches;
    bytes_in += size;
    bytes_out += packed.value();
    rest = rest.subspan(sizeof size + size);
  }
  std::printf("%.3f\t%llu\t%llu\t%llu\n", CpuSeconds() - before, static_cast<unsigned long long>(batches),
              static_cast<unsigned long long>(bytes_in), static_cast<unsigned long long>(bytes_out));
  return 0;
}

}  // namespace
}  // namespace limpet

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "lines" && argc == 4) return limpet::WriteLines(std::strtoull(argv[2], nullptr, 10), argv[3]);
  if (what == "deflate" && argc == 3) return limpet::Deflate(argv[2]);
  return 64;
}
