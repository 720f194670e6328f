#include "config/load.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "config/checks.h"
#include "config/destination.h"
#include "config/ini.h"
#include "config/list.h"
#include "config/suggest.h"
#include "config/table.h"
#include "config/text_arena.h"

namespace limpet {
namespace {

constexpr std::string_view kOverride = "--set";

struct Where {
  std::string_view file;
  int line = 0;
};

/// A section that has been seen.
struct Section {
  std::string_view name;  ///< "destination.primary".
  const SectionRow* row = nullptr;
  Where first;            ///< Its header, or its first --set.
  size_t file = 0;        ///< The last file that had its header.
  int errors = 0;
  DestinationConfig* destination = nullptr;
  LogConfig* log = nullptr;
};

/// A key that has been seen.
struct Setting {
  const Section* section = nullptr;
  const Row* row = nullptr;
  std::string_view star;  ///< What stood for the row's `*`.
  Where where;
  bool overridden = false;  ///< By --set: files are only checked.
};

/// What stands for people where the table has a `*`.
void WritePattern(TextWriter& out, std::string_view pattern) {
  const size_t at = pattern.find('*');
  out << pattern.substr(0, at);
  if (at != std::string_view::npos) out << "NAME" << pattern.substr(at + 1);
}

void WriteSuggestion(TextWriter& out, std::string_view best) {
  if (best.empty()) return;
  out << " (did you mean ";
  WritePattern(out, best);
  out << "?)";
}

bool IsGlob(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

/// The smallest matching name of a directory behind `after`: going from one to the next gives them
/// sorted, without room for all of them.
class NextName final : public NameSink {
 public:
  NextName(std::string_view pattern, std::string_view after) : pattern_(pattern), after_(after) {}

  void OnName(std::string_view name) override {
    if (name.starts_with('.') || name.size() > sizeof best_ || name <= after_) return;
    if (!GlobMatches(pattern_, name) || (size_ != 0 && name >= best())) return;
    std::memcpy(best_, name.data(), name.size());
    size_ = name.size();
  }

  std::string_view best() const { return {best_, size_}; }

 private:
  std::string_view pattern_, after_;
  char best_[255];
  size_t size_ = 0;
};

class Loader final : private IniHandler, private Problems {
 public:
  Loader(const LoadInput& input, Config& config, ErrorSink& sink)
      : input_(input), config_(config), sink_(sink), arena_(input.arena) {}

  Status Run();

 private:
  // IniHandler
  void OnSection(int line, std::string_view name) override;
  void OnKey(int line, std::string_view key, std::string_view value) override;
  void OnFault(int line, std::string_view what) override;
  // Problems
  void Report(std::string_view section, std::string_view key, std::string_view text) override;
  bool Sound(std::string_view section) const override;

  void Override(std::string_view text);
  Status LoadFile(std::string_view path);
  void LoadIncludes();
  void LoadMatching(std::string_view prefix, std::string_view pattern);
  void LoadIncluded(std::string_view path);
  void Complete();
  void CheckTypes();

  Section* FindSeen(std::string_view name);
  Section* Enter(std::string_view name, const SectionRow& row);
  void EnterDestination(Section& section, std::string_view name);
  void EnterLog(Section& section, std::string_view name);
  void UnknownSection(std::string_view name);
  void UnknownKey(std::string_view key);

  void Set(std::string_view key, std::string_view raw);
  Setting* Claim(const Row& row, std::string_view star, std::string_view key);
  void Store(const Setting& setting, std::string_view key, const Value& value);
  bool InRange(const Row& row, std::string_view key, const Value& value);
  bool IsDefault(const Row& row, const Value& value) const;

  void Error(std::string_view text);
  void KeyError(std::string_view key, std::string_view text);
  void Full();

  const LoadInput& input_;
  Config& config_;
  ErrorSink& sink_;
  TextArena arena_;

  std::array<Section, kConfigSectionsMax> sections_;
  size_t section_count_ = 0;
  std::array<Setting, kConfigKeysMax> settings_;
  size_t setting_count_ = 0;

  Section* section_ = nullptr;  // Where we are; null in an unknown one, whose keys are passed over.
  Where where_;
  size_t file_ = 0;             // 0: --set, 1: the file, then those it includes.
  size_t bytes_ = 0;            // Of all files so far.
  Where include_;               // Where `include` was written.
  bool past_header_ = false;    // A header has been seen, or its absence reported.
  int errors_ = 0;
  bool full_ = false;
  DestinationConfig unused_;    // Take what is checked, but has no place.
  LogConfig unused_log_;
};

// Errors

void Loader::Error(std::string_view text) {
  ++errors_;
  if (section_ != nullptr) ++section_->errors;
  sink_.OnError(where_.file, where_.line, text);
}

void Loader::KeyError(std::string_view key, std::string_view text) {
  TextBuffer<512> line;
  if (section_ != nullptr) line << section_->name << '.';
  line << key << ": " << text;
  Error(line.text());
}

void Loader::Full() {
  if (!full_) Error("the configuration's texts need more room than there is");
  full_ = true;
}

void Loader::Report(std::string_view section, std::string_view key, std::string_view text) {
  section_ = FindSeen(section);
  where_ = {input_.path, 0};
  if (section_ != nullptr) where_ = section_->first;
  for (size_t i = 0; i < setting_count_; ++i) {
    const Setting& setting = settings_[i];
    std::string_view star;
    if (setting.section != section_ || section_ == nullptr) continue;
    if (!MatchesName(setting.row->key, key, &star) || star != setting.star) continue;
    where_ = setting.overridden ? Where{kOverride, 0} : setting.where;
  }
  TextBuffer<512> line;
  if (!section.empty() && key.empty()) line << '[' << section << "]: ";
  if (!section.empty() && !key.empty()) line << section << '.' << key << ": ";
  line << text;
  Error(line.text());
}

bool Loader::Sound(std::string_view section) const {
  for (size_t i = 0; i < section_count_; ++i) {
    if (sections_[i].name == section) return sections_[i].errors == 0;
  }
  return true;
}

// Sections

Section* Loader::FindSeen(std::string_view name) {
  for (size_t i = 0; i < section_count_; ++i) {
    if (sections_[i].name == name) return &sections_[i];
  }
  return nullptr;
}

void Loader::UnknownSection(std::string_view name) {
  TextBuffer<256> text;
  text << '[' << name << "]: ";
  Suggestion suggestion(name);
  for (const SectionRow& row : Sections()) {
    std::string_view star;
    if (MatchesName(row.name, name, &star)) {
      text << "expected a name of 1 to 32 letters, digits, - or _ behind the dot";
      Error(text.text());
      return;
    }
    suggestion.Offer(row.name);
  }
  text << "unknown section";
  WriteSuggestion(text, suggestion.best());
  Error(text.text());
}

/// Finds the section or makes it known. Null: there is no room for it.
Section* Loader::Enter(std::string_view name, const SectionRow& row) {
  if (Section* const seen = FindSeen(name)) return seen;
  if (section_count_ == sections_.size()) {
    Error("more sections than there is room for");
    return nullptr;
  }
  const Result<std::string_view> kept = arena_.Copy(name);
  if (!kept.ok()) {
    Full();
    return nullptr;
  }
  section_ = &sections_[section_count_++];
  *section_ = {.name = kept.value(), .row = &row, .first = where_};
  if (!row.built) {
    TextBuffer<128> text;
    text << '[' << name << "]: not available in this build";
    Error(text.text());
  }
  const std::string_view pattern(row.name);
  if (row.present != nullptr) *row.present(config_) = true;
  const std::string_view star = section_->name.substr(std::min(section_->name.size(), pattern.size() - 1));
  if (pattern == kDestinationSection) EnterDestination(*section_, star);
  if (pattern == kLogSection) EnterLog(*section_, star);
  return section_;
}

void Loader::EnterDestination(Section& section, std::string_view name) {
  section.destination = &unused_;
  if (config_.destination_count == config_.destinations.size()) {
    TextBuffer<128> text;
    text << '[' << section.name << "]: more than " << kDestinationsMax << " destinations";
    Error(text.text());
    return;
  }
  section.destination = &config_.destinations[config_.destination_count++];
  section.destination->name = name;
  SetDefaults(*section.destination);
}

void Loader::EnterLog(Section& section, std::string_view name) {
  section.log = &unused_log_;
  if (config_.log_count == config_.logs.size()) {
    TextBuffer<128> text;
    text << '[' << section.name << "]: more than " << kLogSourcesMax << " log sources";
    Error(text.text());
    return;
  }
  section.log = &config_.logs[config_.log_count++];
  section.log->name = name;
  SetDefaults(*section.log);
}

void Loader::OnSection(int line, std::string_view name) {
  where_.line = line;
  section_ = nullptr;
  past_header_ = true;
  std::string_view star;
  const SectionRow* const row = FindSection(name, &star);
  if (row == nullptr) {
    UnknownSection(name);
    return;
  }
  section_ = Enter(name, *row);
  if (section_ == nullptr) return;
  if (section_->file == file_) {
    TextBuffer<512> text;
    text << '[' << name << "]: this section is already at line " << section_->first.line;
    Error(text.text());
  }
  if (section_->file != file_) section_->first = where_;
  section_->file = file_;
}

// Keys

void Loader::OnFault(int line, std::string_view what) {
  where_.line = line;
  Error(what);
}

void Loader::OnKey(int line, std::string_view key, std::string_view value) {
  where_.line = line;
  if (section_ != nullptr) {
    Set(key, value);
  } else if (!past_header_) {
    past_header_ = true;
    Error("expected a [section] before the first key");
  }
}

void Loader::UnknownKey(std::string_view key) {
  Suggestion suggestion(key);
  std::string_view elsewhere, star;
  for (const Row& row : Rows()) {
    if (std::string_view(row.section) == section_->row->name) {
      suggestion.Offer(row.key);
    } else if (elsewhere.empty() && row.key[0] != '*' && MatchesName(row.key, key, &star)) {
      elsewhere = row.section;
    }
  }
  TextBuffer<256> text;
  text << "unknown key";
  if (suggestion.best().empty() && !elsewhere.empty()) {
    text << " (it belongs to [";
    WritePattern(text, elsewhere);
    text << "])";
  } else {
    WriteSuggestion(text, suggestion.best());
  }
  KeyError(key, text.text());
}

/// Notes where a key is written. Null when it is written twice, or there is no room.
Setting* Loader::Claim(const Row& row, std::string_view star, std::string_view key) {
  for (size_t i = 0; i < setting_count_; ++i) {
    Setting& setting = settings_[i];
    if (setting.section != section_ || setting.row != &row || setting.star != star) continue;
    if (setting.overridden && setting.where.line == 0 && file_ != 0) {
      setting.where = where_;
      return &setting;
    }
    TextBuffer<512> text;
    text << "already set at ";
    WriteError(text, setting.where.file, setting.where.line, "");
    KeyError(key, text.text());
    return nullptr;
  }
  if (setting_count_ == settings_.size()) {
    KeyError(key, "more keys than there is room for");
    return nullptr;
  }
  const Result<std::string_view> kept = arena_.Copy(star);
  if (!kept.ok()) {
    Full();
    return nullptr;
  }
  Setting& setting = settings_[setting_count_++];
  setting = {section_, &row, kept.value(), where_, file_ == 0};
  return &setting;
}

bool Loader::InRange(const Row& row, std::string_view key, const Value& value) {
  if (row.min >= row.max) return true;  // Not a number.
  const double number = row.kind == Kind::kNumber ? value.number : double(value.integer);
  if (number >= row.min && number <= row.max) return true;
  if (row.none && value.integer == 0) return true;
  const auto at = [](double n) { return Value{.integer = int64_t(n), .number = n}; };
  TextBuffer<128> text;
  text << "expected ";
  if (row.none) text << "0, or ";
  FormatValue(text, row.kind, row.choices, at(row.min));
  text << " to ";
  FormatValue(text, row.kind, row.choices, at(row.max));
  KeyError(key, text.text());
  return false;
}

bool Loader::IsDefault(const Row& row, const Value& value) const {
  if (row.fallback[0] == '\0') return value.text.empty();
  TextBuffer<128> unused;
  const Result<Value> fallback = ParseValue(row.kind, row.choices, row.fallback, unused);
  LIMPET_CHECK(fallback.ok());
  return SameValue(row.kind, value, fallback.value());
}

void Loader::Store(const Setting& setting, std::string_view key, const Value& value) {
  DestinationConfig& destination = section_->destination ? *section_->destination : unused_;
  LogConfig& log = section_->log ? *section_->log : unused_log_;
  const Place place = setting.row->place({config_, destination, log});
  const Pairs* const pairs = std::get_if<Pairs>(&place);
  if (pairs == nullptr) {
    StoreValue(place, value);
  } else {
    const bool header = section_->destination != nullptr;
    if (const char* const fault = header ? HeaderNameFault(setting.star) : nullptr) {
      KeyError(key, fault);
      return;
    }
    if (*pairs->count == pairs->items.size()) {
      TextBuffer<64> text;
      text << "there is room for " << pairs->items.size() << " of these";
      KeyError(key, text.text());
      return;
    }
    pairs->items[(*pairs->count)++] = {setting.star, value.text};
  }
  arena_.Keep(value.text.size());  // It stands at the front of the room.
}

void Loader::Set(std::string_view key, std::string_view raw) {
  std::string_view star;
  const Row* const row = FindRow(section_->row->name, key, &star);
  if (row == nullptr) {
    UnknownKey(key);
    return;
  }
  const bool include = std::string_view(row->key) == "include";
  if (include && file_ > 1) {
    KeyError(key, "an included file does not include others");
    return;
  }
  const Setting* const setting = Claim(*row, star, key);
  if (setting == nullptr) return;
  if (include) include_ = where_;

  TextBuffer<256> problem;
  TextWriter text(arena_.room());
  const Status expanded = ExpandValue(raw, input_.variables, text, problem);
  if (expanded.code == Code::kFull) {
    Full();
    return;
  }
  if (!expanded.ok()) {
    KeyError(key, problem.text());
    return;
  }
  const bool unset = text.size() == 0 && row->fallback[0] == '\0' && row->kind != Kind::kText;
  if (unset) return;

  const Result<Value> value = ParseValue(row->kind, row->choices, text.text(), problem);
  if (!value.ok()) {
    KeyError(key, problem.text());
    return;
  }
  if (!InRange(*row, key, value.value())) return;
  if (row->place == nullptr) {
    if (!section_->row->built || IsDefault(*row, value.value())) return;
    problem << "not available in this build";
    if (row->fallback[0] != '\0') problem << " (only its default, " << row->fallback << ", is)";
    KeyError(key, problem.text());
    return;
  }
  const bool overridden = setting->overridden && file_ != 0;
  if (!overridden) Store(*setting, key, value.value());
}

// Files

void Loader::Override(std::string_view text) {
  where_ = {kOverride, 0};
  section_ = nullptr;
  const size_t equals = text.find('=');
  const std::string_view name = Trim(text.substr(0, equals));
  const size_t first = name.find('.');
  if (equals == std::string_view::npos || first == std::string_view::npos) {
    Error("expected section.key=value");
    return;
  }
  // Some sections have one dot in their names, some have none.
  size_t end = first;
  std::string_view star;
  const SectionRow* row = FindSection(name.substr(0, end), &star);
  if (row == nullptr) {
    end = name.find('.', first + 1);
    if (end != std::string_view::npos) row = FindSection(name.substr(0, end), &star);
  }
  if (row == nullptr) {
    UnknownSection(name.substr(0, first));
    return;
  }
  section_ = Enter(name.substr(0, end), *row);
  if (section_ == nullptr) return;
  const std::string_view value = Trim(text.substr(equals + 1));
  if (value.find('\0') != std::string_view::npos || value.find('\n') != std::string_view::npos) {
    KeyError(name.substr(end + 1), "expected one line");
    return;
  }
  Set(name.substr(end + 1), value);
}

/// Errors in the file are reported; the status is about reading it.
Status Loader::LoadFile(std::string_view path) {
  const size_t room = std::min(input_.scratch.size(), kConfigBytesMax - bytes_);
  const Result<std::string_view> text =
      ReadWhole(input_.files, path, input_.scratch.first(room));
  if (!text.ok()) return text.status();
  bytes_ += text.value().size();
  ++file_;
  where_ = {path, 0};
  section_ = nullptr;
  past_header_ = false;
  ParseIni(text.value(), *this);
  return {};
}

void Loader::LoadIncluded(std::string_view path) {
  where_ = include_;
  section_ = nullptr;
  TextBuffer<kConfigPathMax + 128> text;
  text << "agent.include: " << path << ": ";
  if (path == input_.path) {
    Error((text << "a file does not include itself").text());
    return;
  }
  if (file_ == kConfigFilesMax) {
    Error((text << "more than " << kConfigFilesMax << " files").text());
    return;
  }
  const Result<std::string_view> kept = arena_.Copy(path);
  if (!kept.ok()) {
    Full();
    return;
  }
  const Status status = LoadFile(kept.value());
  if (status.ok()) return;
  where_ = include_;
  section_ = nullptr;
  if (status.code == Code::kFull) {
    text << "too long: all files together hold " << kConfigBytesMax / 1024 << "KiB at most";
  } else {
    text << CodeName(status.code);
  }
  Error(text.text());
}

/// prefix: what stands before the pattern: "", or a directory with its slash.
void Loader::LoadMatching(std::string_view prefix, std::string_view pattern) {
  const std::string_view directory = prefix.empty() ? "." : prefix;
  TextBuffer<256> last;
  for (size_t i = 0; i <= kConfigFilesMax; ++i) {
    NextName next(pattern, last.text());
    const Status status = input_.files.ListNames(directory, next);
    if (!status.ok() && status.code != Code::kNotFound) {
      where_ = include_;
      section_ = nullptr;
      TextBuffer<kConfigPathMax + 128> text;
      text << "agent.include: " << directory << ": " << CodeName(status.code);
      Error(text.text());
      return;
    }
    if (!status.ok() || next.best().empty()) return;  // No such directory: nothing matches.
    last.Clear();
    last << next.best();
    TextBuffer<2 * kConfigPathMax> path;
    path << prefix << next.best();
    LoadIncluded(path.text());
  }
}

void Loader::LoadIncludes() {
  ListIterator patterns(config_.agent.include);
  config_.agent.include = {};
  for (std::string_view pattern; patterns.Next(pattern);) {
    TextBuffer<2 * kConfigPathMax> path;
    const size_t slash = input_.path.rfind('/');
    if (!pattern.starts_with('/') && slash != std::string_view::npos) {
      path << input_.path.substr(0, slash + 1);
    }
    path << pattern;
    const size_t name_at = path.text().rfind('/') + 1;  // npos + 1 is 0.
    const std::string_view prefix = path.text().substr(0, name_at);
    const std::string_view name = path.text().substr(name_at);
    where_ = include_;
    section_ = nullptr;
    if (path.size() > kConfigPathMax) {
      Error("agent.include: a path is longer than 256 bytes");
    } else if (IsGlob(prefix)) {
      Error("agent.include: only the last part of a path may hold a pattern");
    } else if (!IsGlob(name)) {
      LoadIncluded(path.text());
    } else {
      LoadMatching(prefix, name);
    }
  }
}

// Together

void Loader::Complete() {
  section_ = nullptr;
  where_ = {input_.path, 0};
  for (Order& order : config_.queue.order_of) {
    if (order == Order::kUnset) order = config_.queue.order;
  }
  for (size_t i = 0; i < section_count_; ++i) {
    const Section& section = sections_[i];
    if (section.destination == nullptr || section.destination == &unused_) continue;
    const SignalSet wanted = section.destination->signals;
    if (!CompleteDestination(config_, *section.destination, arena_).ok()) {
      Full();
      return;
    }
    // By default a destination takes what it has a URL for; who names a signal must give one.
    const SignalSet taken = section.destination->signals;
    for (size_t j = 0; j < setting_count_ && taken != wanted && taken != 0; ++j) {
      const Setting& setting = settings_[j];
      if (setting.section != &section || std::string_view(setting.row->key) != "signals") continue;
      Report(section.name, "signals", "a signal is named here that has no URL");
    }
  }
}

/// A key that its source would not look at is a mistake.
void Loader::CheckTypes() {
  std::string_view star;
  const Row& type = *FindRow(kLogSection, "type", &star);
  for (size_t i = 0; i < section_count_; ++i) {
    const Section& section = sections_[i];
    if (section.log == nullptr || section.errors != 0) continue;
    for (size_t j = 0; j < setting_count_; ++j) {
      const Row& row = *settings_[j].row;
      if (settings_[j].section != &section || Concerns(row, *section.log)) continue;
      TextBuffer<64> text;
      const char* between = "only with type = ";
      for (int64_t t = 0; t < kLogTypeCount; ++t) {
        if ((row.types >> t & 1) == 0) continue;
        text << between;
        FormatValue(text, type.kind, type.choices, Value{.integer = t});
        between = " or ";
      }
      Report(section.name, row.key, text.text());
    }
  }
}

Status Loader::Run() {
  config_ = Config{};
  SetDefaults(config_);
  for (const std::string_view setting : input_.settings) Override(setting);
  const Status status = LoadFile(input_.path);
  if (!status.ok()) {
    where_ = {input_.path, 0};
    section_ = nullptr;
    TextBuffer<256> text;
    if (status.code == Code::kNotFound) {
      text << "there is no such file: name another with -c FILE, or start from the "
              "limpet.ini that comes with limpet";
    } else if (status.code == Code::kFull) {
      text << "too long: a configuration has " << kConfigBytesMax / 1024 << "KiB at most";
    } else {
      text << "cannot be read: " << CodeName(status.code);
    }
    Error(text.text());
    return status;
  }
  LoadIncludes();
  Complete();
  CheckTypes();
  if (!full_) CheckTogether(config_, input_.patterns, *this);
  if (full_) return {Code::kFull, 0, "configuration text"};
  if (errors_ != 0) return {Code::kInvalid, errors_, "configuration"};
  return {};
}

}  // namespace

void WriteError(TextWriter& out, std::string_view file, int line, std::string_view text) {
  out << file;
  if (line != 0) out << ':' << line;
  if (!text.empty()) out << ": " << text;
}

Status LoadConfig(const LoadInput& input, Config& config, ErrorSink& sink) {
  return Loader(input, config, sink).Run();
}

}  // namespace limpet
