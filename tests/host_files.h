// The files of the hosts in tests/data/proc.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <system_error>

#include "sim/world.h"
#include "source_dir.h"

namespace limpet {

/// The files of the host by their path below it.
inline std::map<std::string, std::string> HostTexts(const std::string& host) {
  namespace fs = std::filesystem;
  const std::string base = std::string(kSourceDir) + "/tests/data/proc/" + host;
  std::map<std::string, std::string> texts;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(base, failed), end; it != end; it.increment(failed)) {
    if (!it->is_regular_file()) continue;
    const std::string path = it->path().string();
    std::ifstream in(path, std::ios::binary);
    texts[path.substr(base.size())] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return texts;
}

/// The same mounted at `root`, "" or "/host".
inline sim::SimFiles HostFiles(const std::string& host, const std::string& root) {
  sim::SimFiles files;
  for (const auto& [path, text] : HostTexts(host)) files.contents[root + path] = text;
  return files;
}

}  // namespace limpet
