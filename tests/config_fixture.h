// A world of texts for the tests of the configuration: files, directories and variables in memory.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace limpet {

struct ConfigWorld final : Files, Variables, ErrorSink {
  std::map<std::string, std::string, std::less<>> texts, variables;
  std::map<int, std::string> open;
  std::map<std::string, Code, std::less<>> refused;
  std::vector<std::string> settings;
  std::vector<std::string> errors;
  PatternCheck* patterns = nullptr;
  std::string scratch = std::string(kConfigBytesMax, '\0');
  std::string arena = std::string(64 * 1024, '\0');
  int opened = 0;

  ConfigWorld() { texts["limpet.ini"] = ""; }
  virtual ~ConfigWorld() = default;

  Status Load(Config& config, std::string_view path = "limpet.ini") {
    errors.clear();
    const std::vector<std::string_view> views(settings.begin(), settings.end());
    return LoadConfig({.path = path, .settings = views, .files = *this,
                       .variables = *this, .patterns = patterns, .scratch = scratch, .arena = arena},
                      config, *this);
  }

  Result<int> Open(std::string_view path) override {
    if (const auto at = refused.find(path); at != refused.end()) return {at->second, 0, "open"};
    const auto at = texts.find(path);
    if (at == texts.end()) return {Code::kNotFound, 0, "open"};
    open[++opened] = at->second;
    return opened;
  }
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override {
    const std::string& text = open.at(file);
    if (offset >= text.size()) return size_t{0};
    const size_t count = std::min(into.size(), text.size() - static_cast<size_t>(offset));
    std::memcpy(into.data(), text.data() + offset, count);
    return count;
  }
  void Close(int file) override { open.erase(file); }
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Result<std::string_view> ReadLink(std::string_view, std::span<char>) override {
    return {Code::kNotFound, 0, "readlink"};
  }

  Status ListNames(std::string_view path, NameSink& sink) override {
    if (const auto at = refused.find(path); at != refused.end()) return {at->second, 0, "list"};
    const std::string prefix = path == "." ? "" : std::string(path);
    bool found = path == ".";
    // Backwards, since no order is promised.
    for (auto at = texts.rbegin(); at != texts.rend(); ++at) {
      if (!at->first.starts_with(prefix)) continue;
      found = true;
      const std::string name = at->first.substr(prefix.size());
      if (name.find('/') == std::string::npos) sink.OnName(name);
    }
    return found ? Status{} : Status{Code::kNotFound, 0, "list"};
  }

  std::optional<std::string_view> Variable(std::string_view name) override {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  }

  void OnError(std::string_view file, int line, std::string_view text) override {
    TextBuffer<1024> whole;
    WriteError(whole, file, line, text);
    errors.emplace_back(whole.text());
  }
};

}  // namespace limpet
