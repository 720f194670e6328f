#include "collect/process_reader.h"

namespace limpet {

std::string_view ReadExecutable(RootFiles& root, uint32_t pid, std::span<char> into) {
  const Result<std::string_view> link = root.ReadLink(PidPath(pid, "exe").text(), into);
  if (!link.ok() || link.value().size() == into.size()) return {};
  constexpr std::string_view kDeleted = " (deleted)";
  std::string_view path = link.value();
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path;
}

bool ProcessReader::Read(RootFiles& root, uint32_t pid) {
  pid_ = pid;
  full_name_ = {};
  const Result<std::string_view> text = root.ReadValue(PidPath(pid, "stat").text(), text_);
  if (!text.ok()) return false;
  const Result<PidStat> stat = ParsePidStat(text.value());
  if (stat.ok()) stat_ = stat.value();
  return stat.ok();
}

std::string_view ProcessReader::FullName(RootFiles& root) {
  if (!full_name_.empty()) return full_name_;
  full_name_ = stat_.name;
  if (stat_.name.size() != kCommMax) return full_name_;
  std::string_view name = BaseName(ReadExecutable(root, pid_, path_));
  if (!name.starts_with(stat_.name)) {
    // Of the first argument no more than a name: what follows a blank may be anything.
    const Result<std::string_view> text = root.ReadValue(PidPath(pid_, "cmdline").text(), path_);
    if (!text.ok()) return full_name_;
    name = text.value();
    const bool whole = name.find('\0') != std::string_view::npos;
    name = TakeUntil(name, '\0');
    name = BaseName(TakeUntil(name, ' '));
    if (!whole || !name.starts_with(stat_.name)) return full_name_;
  }
  return full_name_ = name;
}

bool ProcessReader::Matches(RootFiles& root, std::string_view patterns) {
  if (AnyGlobMatches(patterns, stat_.name)) return true;
  return stat_.name.size() == kCommMax && AnyGlobMatches(patterns, FullName(root));
}

}  // namespace limpet
