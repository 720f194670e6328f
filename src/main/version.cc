// limpet version: what is in this binary.
#include <array>

#include <http_parser.h>
#include <libdeflate.h>
#include <pb.h>
#if LIMPET_JOURNALD
#include <lz4.h>
#include <zstd.h>
#endif
#if LIMPET_PATTERNS
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#endif
#include "spool/sqlite.h"

#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/version.h"
#include "port/curl/library_versions.h"
#include "port/linux/host.h"

namespace limpet {

#if LIMPET_PATTERNS
/// "10.46 2025-08-27"
static std::string_view Pcre2Version() {
  static char text[32];
  if (pcre2_config(PCRE2_CONFIG_VERSION, nullptr) > static_cast<int>(sizeof text)) return "";
  pcre2_config(PCRE2_CONFIG_VERSION, text);
  const std::string_view version = text;
  return version.substr(0, version.find(' '));
}
#endif

int VersionCommand(const Args& args) {
  struct Library {
    std::string_view name, version;
  };
  std::string_view nanopb = NANOPB_VERSION;
  if (nanopb.starts_with("nanopb-")) nanopb.remove_prefix(7);
  TextBuffer<16> http_parser;
  const unsigned long packed = http_parser_version();
  http_parser << (packed >> 16 & 255) << '.' << (packed >> 8 & 255) << '.' << (packed & 255);
  const LibraryVersions linked = ReadLibraryVersions();
  const Library libraries[] = {{"libcurl", linked.curl},
                               {"mbedtls", linked.mbedtls},
                               {"c-ares", linked.cares},
                               {"sqlite", SqliteVersion()},
                               {"nanopb", nanopb},
                               {"inih", LIMPET_INIH_VERSION},
                               {"libdeflate", LIBDEFLATE_VERSION_STRING},
                               {"http-parser", http_parser.text()},
#if LIMPET_JOURNALD
                               {"zstd", ZSTD_versionString()},
                               {"lz4", LZ4_versionString()},
#endif
#if LIMPET_PATTERNS
                               {"pcre2", Pcre2Version()},
#endif
  };
  TextBuffer<1024> out;
  if (args.json) {
    out << "{\"version\":";
    out.Json(kVersion) << ",\"target\":";
    out.Json(kTarget) << ",\"libraries\":{";
    for (const Library& library : libraries) {
      if (&library != libraries) out << ',';
      out.Json(library.name) << ':';
      out.Json(library.version);
    }
    out << "}}\n";
  } else {
    out << "limpet " << kVersion << ' ' << kTarget << '\n';
    for (const Library& library : libraries) out << library.name << ' ' << library.version << '\n';
  }
  return WriteStdout(out.text()) ? kExitOk : kExitIo;
}

}  // namespace limpet
