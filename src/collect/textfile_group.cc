#include "collect/textfile_group.h"

#include <algorithm>

#include "collect/prometheus_text.h"
#include "limpet/limits.h"

namespace limpet {
namespace {

constexpr const char* kStaleFile = "older than [host] textfile_max_age";
constexpr const char* kFullTable = "more series than limpet takes from all files together";

/// Finds the mistakes that need more than a point to be seen.
class Checker final : public PrometheusHandler {
 public:
  explicit Checker(SeriesTable& series) : series_(series), before_(series.size()) {}

  Status OnMetric(std::string_view, Instrument instrument, uint64_t identity) override {
    // Not the identity of a series without labels.
    const auto type = static_cast<uint8_t>(instrument);
    const std::optional<SeriesTable::Entry> entry = series_.FindOrAdd(~identity, type);
    if (!entry) return {Code::kFull, 0, kFullTable};
    if (entry->added) return {};
    if (entry->place >= before_) {
      return {Code::kInvalid, 0, "the lines of a metric do not stand together, or its type comes after them"};
    }
    if (entry->tag != type) return {Code::kInvalid, 0, "a metric has another type in another file"};
    return {};
  }

  Status OnPoint(Instrument, const PrometheusPoint& point) override {
    const std::optional<SeriesTable::Entry> entry = series_.FindOrAdd(point.identity, 0);
    if (!entry) return {Code::kFull, 0, kFullTable};
    if (entry->added) return {};
    return {Code::kInvalid, 0,
            entry->place >= before_ ? "a series is there twice" : "a series is in another file too"};
  }

 private:
  SeriesTable& series_;
  const size_t before_;
};

struct Text {
  std::string_view text;
  UnixTime written;  ///< From 1970 until the cycle.
};

/// kUnavailable: too old.
Result<Text> Read(const GroupContext& context, int file) {
  Files& files = context.root.files();
  const Result<UnixTime> written = files.ModifiedAt(file);
  if (!written.ok()) return written.status();
  if (context.wall - written.value() > context.options.textfile_max_age) return {Code::kUnavailable, 0, kStaleFile};
  const Result<std::string_view> text = ReadWhole(files, file, context.buffer);
  if (!text.ok()) return text.status();
  return Text{text.value(), std::max(UnixTime{}, std::min(written.value(), context.wall))};
}

Result<Text> Read(const GroupContext& context, std::string_view path) {
  const Result<int> file = context.root.files().Open(path);
  if (!file.ok()) return file.status();
  const Result<Text> text = Read(context, file.value());
  context.root.files().Close(file.value());
  return text;
}

class Emitter final : public PrometheusHandler {
 public:
  explicit Emitter(Points& out) : out_(out) {}

  Status OnMetric(std::string_view name, Instrument instrument, uint64_t) override {
    out_.Begin({name, "", instrument});
    return {};
  }

  Status OnPoint(Instrument instrument, const PrometheusPoint& point) override {
    if (instrument == Instrument::kHistogram) {
      out_.Histogram(point.attributes, point.bounds, point.buckets, point.sum);
    } else if (instrument == Instrument::kSummary) {
      out_.Summary(point.attributes, point.quantiles, point.count, point.sum);
    } else {
      out_.Double(point.attributes, point.value);
    }
    return {};
  }

 private:
  Points& out_;
};

}  // namespace

// ---- SeriesTable -------------------------------------------------------------------------------------

std::optional<SeriesTable::Entry> SeriesTable::FindOrAdd(uint64_t identity, uint8_t tag) {
  size_t slot = static_cast<size_t>(identity % kSlots);
  for (; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    if (identities_[slot] != identity) continue;
    const size_t place = slots_[slot] - size_t{1};
    return Entry{.place = place, .tag = places_[place].tag, .added = false};
  }
  if (size_ == kMax) return std::nullopt;
  identities_[slot] = identity;
  places_[size_] = {static_cast<uint16_t>(slot), tag};
  slots_[slot] = static_cast<uint16_t>(++size_);
  return Entry{.place = size_ - 1, .tag = tag, .added = true};
}

void SeriesTable::Truncate(size_t size) {
  // The last first: none that stays was put behind it.
  while (size_ > size) slots_[places_[--size_].slot] = 0;
}

// ---- TextfileGroup -----------------------------------------------------------------------------------

class TextfileGroup::Lister final : public NameSink {
 public:
  Lister(TextfileGroup& group, std::string_view pattern) : group_(group), pattern_(pattern) {}
  void OnName(std::string_view name) override {
    // As in a shell: programs write to a hidden file, and rename it then.
    if (name.starts_with('.') && !pattern_.starts_with('.')) return;
    if (GlobMatches(pattern_, name)) group_.NoteName(name);
  }

 private:
  TextfileGroup& group_;
  const std::string_view pattern_;
};

void TextfileGroup::NoteName(std::string_view name) {
  File* const end = files_.data() + count_;
  File* const at = std::lower_bound(files_.data(), end, name,
                                    [](const File& file, std::string_view n) { return file.name() < n; });
  if (at != end && at->name() == name) {
    at->listed = true;
    return;
  }
  if (count_ == kFilesMax || name.size() > kNameMax) {
    left_out_ = true;
    return;
  }
  std::move_backward(at, end, end + 1);
  *at = {};
  std::copy(name.begin(), name.end(), at->text.begin());
  at->size = static_cast<uint8_t>(name.size());
  at->listed = true;
  ++count_;
}

void TextfileGroup::ForgetVanished() {
  File* const end = files_.data() + count_;
  File* const kept = std::remove_if(files_.data(), end, [](const File& file) { return !file.listed; });
  count_ = static_cast<size_t>(kept - files_.data());
}

Status TextfileGroup::Collect(const GroupContext& context, Points& out) {
  const std::string_view path = context.options.textfile;
  const size_t slash = path.rfind('/');
  const bool bare = slash == std::string_view::npos;
  const std::string_view directory = bare ? "." : path.substr(0, std::max<size_t>(slash, 1));

  for (File& file : std::span(files_).first(count_)) file.listed = false;
  left_out_ = false;
  Lister lister(*this, bare ? path : path.substr(slash + 1));
  Status listed = context.root.files().ListNames(directory, lister);
  if (!listed.ok()) {
    listed.where = "directory of [host] textfile";
    return listed;
  }
  ForgetVanished();
  if (left_out_ && !said_left_out_) {
    said_left_out_ = true;
    context.log.Warn("textfiles are left out: too many, or a name that is too long",
                     {{"at_most", kFilesMax}, {"name_bytes_at_most", kNameMax}});
  }

  series_.Truncate(0);
  for (File& file : std::span(files_).first(count_)) CollectFile(context, directory, file, out);
  out.CountSince(context.boot);
  return {};
}

void TextfileGroup::CollectFile(const GroupContext& context, std::string_view directory, File& file,
                                Points& out) {
  TextBuffer<kPathMax> path;
  path << directory << (directory.ends_with('/') ? "" : "/") << file.name();
  const Result<Text> read = Read(context, path.text());  // A cut path is too long to be opened.
  if (read.status().code == Code::kNotFound) return;  // Renamed since it was listed.
  const std::string_view text = read.value().text;
  Status status = read.status();
  if (status.ok()) {
    const size_t before = series_.size();
    Checker checker(series_);
    status = ParsePrometheusText(text, checker);
    if (!status.ok()) series_.Truncate(before);
  }
  Note(context.log, file, status, read.value().written);
  if (!status.ok()) return;
  out.CountSince(file.since);  // The file does not say more.
  Emitter emitter(out);
  (void)ParsePrometheusText(text, emitter);  // As before, without a mistake.
}

void TextfileGroup::Note(Log& log, File& file, const Status& status, UnixTime written) {
  const auto state = [&] {
    switch (status.code) {
      case Code::kOk: return State::kFine;
      case Code::kUnavailable: return State::kStale;
      case Code::kInvalid: return State::kMalformed;
      case Code::kFull: return State::kTooLarge;
      default: return State::kUnreadable;
    }
  }();
  if (state == file.state) return;
  if (state != State::kFine) {
    log.Warn("a textfile is left out", {{"file", file.name()},
                                        {"line", state == State::kUnreadable ? 0 : status.detail},
                                        {"error", status.where},
                                        {"reason", CodeName(status.code)}});
  } else {
    if (file.state != State::kNew) log.Info("a textfile can be read again", {{"file", file.name()}});
    file.since = written;
  }
  file.state = state;
}

}  // namespace limpet
