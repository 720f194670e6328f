#include "collect/prometheus_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "base/text.h"
#include "collect/scan.h"

namespace limpet {
namespace {

constexpr Status Invalid(const char* reason) { return {Code::kInvalid, 0, reason}; }

constexpr uint64_t kHashSeed = 0xcbf29ce484222325;

/// FNV-1a, then stirred, since hashes of labels are added up.
uint64_t Hash(std::string_view text, uint64_t seed) {
  uint64_t hash = seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;
  return hash ^ (hash >> 32);
}

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

/// Takes a name off the front; empty when none is there. Those of metrics may have colons.
std::string_view TakeName(std::string_view& rest, bool colons) {
  size_t size = 0;
  while (size < rest.size()) {
    const char c = rest[size];
    const bool fits = size == 0 ? IsNameStart(c) : IsNamePart(c);
    if (!fits && !(colons && c == ':')) break;
    ++size;
  }
  const std::string_view name = rest.substr(0, size);
  rest.remove_prefix(size);
  return name;
}

bool IsMetricName(std::string_view word) { return !TakeName(word, true).empty() && word.empty(); }

void SkipBlanks(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
}

bool TakeChar(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

std::optional<double> ParseValue(std::string_view word) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (EqualsIgnoringCase(word, "nan")) return std::numeric_limits<double>::quiet_NaN();
  if (EqualsIgnoringCase(word, "+inf") || EqualsIgnoringCase(word, "inf")) return kInfinity;
  if (EqualsIgnoringCase(word, "-inf")) return -kInfinity;
  return ParseDouble(word);
}

/// Counts come as doubles, exact up to 2^53.
std::optional<uint64_t> ToCount(double value) {
  if (!(value >= 0 && value <= 0x1p53) || std::floor(value) != value) return std::nullopt;
  return static_cast<uint64_t>(value);
}

std::optional<Instrument> ParseType(std::string_view word) {
  static constexpr struct {
    std::string_view word;
    Instrument instrument;
  } kTypes[] = {{"counter", Instrument::kCounter},
                {"gauge", Instrument::kGauge},
                {"histogram", Instrument::kHistogram},
                {"summary", Instrument::kSummary},
                {"untyped", Instrument::kGauge}};
  for (const auto& type : kTypes) {
    if (type.word == word) return type.instrument;
  }
  return std::nullopt;
}

/// The labels of a sample: views of the text, but for values with escapes, which lie here.
class Labels {
 public:
  Labels() = default;
  Labels(const Labels&) = delete;
  Labels& operator=(const Labels&) = delete;

  std::span<const Attribute> list() const { return std::span(list_).first(count_); }
  uint64_t identity() const { return identity_; }  ///< The same in any order.

  /// Takes "{a="b",…}" off the front, or nothing when there is none.
  Status Take(std::string_view& rest) {
    count_ = used_ = 0;
    identity_ = 0;
    if (!TakeChar(rest, '{')) return {};
    for (;;) {
      SkipBlanks(rest);
      if (TakeChar(rest, '}')) return {};
      LIMPET_TRY(TakeOne(rest));
      SkipBlanks(rest);
      if (TakeChar(rest, ',')) continue;
      if (TakeChar(rest, '}')) return {};
      return Invalid("a comma or } is expected after a label");
    }
  }

  /// Takes a label out: its value, empty when it is not there.
  std::string_view Extract(std::string_view key) {
    for (size_t i = 0; i < count_; ++i) {
      if (list_[i].key != key) continue;
      const Attribute found = list_[i];
      std::move(list_.begin() + static_cast<ptrdiff_t>(i) + 1,
                list_.begin() + static_cast<ptrdiff_t>(count_), list_.begin() + static_cast<ptrdiff_t>(i));
      --count_;
      identity_ -= IdentityOf(found);
      return found.text;
    }
    return {};
  }

 private:
  static uint64_t IdentityOf(const Attribute& label) {
    return Hash(label.text, Hash(label.key, kHashSeed));
  }

  Status TakeOne(std::string_view& rest) {
    const std::string_view key = TakeName(rest, false);
    if (key.empty()) return Invalid("the name of a label is expected");
    if (key == "__name__") return Invalid("a label cannot be named __name__");
    SkipBlanks(rest);
    if (!TakeChar(rest, '=')) return Invalid("= is expected after the name of a label");
    SkipBlanks(rest);
    std::string_view value;
    LIMPET_TRY(TakeValue(rest, value));
    for (const Attribute& label : list()) {
      if (label.key == key) return Invalid("a label is there twice");
    }
    if (value.empty()) return {};  // Says the same as none.
    if (count_ == list_.size()) return Invalid("a sample has more than 32 labels");
    list_[count_] = {key, value};
    identity_ += IdentityOf(list_[count_++]);
    return {};
  }

  Status TakeValue(std::string_view& rest, std::string_view& value) {
    if (!TakeChar(rest, '"')) return Invalid("the value of a label is expected in double quotes");
    size_t end = rest.find_first_of("\"\\");
    if (end == std::string_view::npos) return Invalid("the value of a label has no closing quote");
    if (rest[end] == '"') {
      value = rest.substr(0, end);
      rest.remove_prefix(end + 1);
    } else {
      LIMPET_TRY(TakeEscaped(rest, value));
    }
    if (!IsUtf8(value)) return Invalid("the value of a label is not UTF-8");
    return {};
  }

  /// It always has room: a line is not longer.
  Status TakeEscaped(std::string_view& rest, std::string_view& value) {
    const size_t begin = used_;
    for (size_t i = 0; i < rest.size(); ++i) {
      char c = rest[i];
      if (c == '"') {
        value = std::string_view(texts_.data() + begin, used_ - begin);
        rest.remove_prefix(i + 1);
        return {};
      }
      if (c == '\\') {
        c = ++i < rest.size() ? rest[i] : '\0';
        if (c != '\\' && c != '"' && c != 'n') return Invalid("the value of a label has a bad escape");
        if (c == 'n') c = '\n';
      }
      texts_[used_++] = c;
    }
    return Invalid("the value of a label has no closing quote");
  }

  std::array<Attribute, kPrometheusLabelsMax> list_;
  std::array<char, kPrometheusLineBytesMax> texts_;
  size_t count_ = 0, used_ = 0;
  uint64_t identity_ = 0;
};

/// What a sample is in its metric.
enum class Role : uint8_t { kForeign, kValue, kBucket, kQuantile, kSum, kCount };

class Parser {
 public:
  explicit Parser(PrometheusHandler& handler) : handler_(handler) {}

  Status Run(std::string_view rest) {
    std::string_view line;
    for (line_ = 1; TakeLine(rest, line); ++line_) LIMPET_TRY(At(line_, Line(line)));
    if (!rest.empty()) return At(line_, Invalid("the last line has no newline: the file is cut"));
    return At(point_line_, FinishPoint());
  }

 private:
  static Status At(int32_t line, Status status) {
    if (!status.ok() && status.detail == 0) status.detail = line;
    return status;
  }

  Status Line(std::string_view line) {
    SkipBlanks(line);
    if (line.empty()) return {};
    return TakeChar(line, '#') ? Comment(line) : Sample(line);
  }

  Status Comment(std::string_view rest) {
    const std::string_view keyword = TakeWord(rest);
    if (keyword != "HELP" && keyword != "TYPE") return {};
    const std::string_view name = TakeWord(rest);
    if (!IsMetricName(name)) return Invalid("the name of a metric is expected");
    if (keyword == "HELP") return {};
    const std::optional<Instrument> type = ParseType(TakeWord(rest));
    if (!type) return Invalid("counter, gauge, histogram, summary or untyped is expected");
    if (!TakeWord(rest).empty()) return Invalid("the line is expected to end after the type");
    return BeginMetric(name, *type);
  }

  Status BeginMetric(std::string_view name, Instrument instrument) {
    LIMPET_TRY(At(point_line_, FinishPoint()));
    name_ = name;
    instrument_ = instrument;
    identity_ = Hash(name, kHashSeed);
    return handler_.OnMetric(name, instrument, identity_);
  }

  Role RoleOf(std::string_view name) const {
    if (!name_.empty() && name.starts_with(name_)) {
      const std::string_view suffix = name.substr(name_.size());
      const bool histogram = instrument_ == Instrument::kHistogram;
      if (!histogram && instrument_ != Instrument::kSummary) {
        return suffix.empty() ? Role::kValue : Role::kForeign;
      }
      if (suffix == "_sum") return Role::kSum;
      if (suffix == "_count") return Role::kCount;
      if (suffix == "_bucket" && histogram) return Role::kBucket;
      if (suffix.empty() && !histogram) return Role::kQuantile;
    }
    return Role::kForeign;
  }

  Status Sample(std::string_view rest) {
    if (rest.size() > kPrometheusLineBytesMax) return Invalid("the line is longer than 2048 bytes");
    const std::string_view name = TakeName(rest, true);
    if (name.empty()) return Invalid("the name of a metric is expected");
    SkipBlanks(rest);
    Labels& labels = labels_[1 - current_];
    LIMPET_TRY(labels.Take(rest));
    const std::optional<double> value = ParseValue(TakeWord(rest));
    if (!value) return Invalid("a number is expected after the name and its labels");
    if (const std::string_view more = TakeWord(rest); !more.empty()) {
      return Invalid(ParseDouble(more) ? "a sample has a timestamp of its own"
                                       : "the line is expected to end after the number");
    }
    Role role = RoleOf(name);
    if (role == Role::kForeign) {
      LIMPET_TRY(BeginMetric(name, Instrument::kGauge));
      role = Role::kValue;
    }
    if (role != Role::kValue) return Part(role, labels, *value);
    return handler_.OnPoint(instrument_, {.attributes = labels.list(),
                                          .identity = identity_ + labels.identity(),
                                          .value = *value});
  }

  /// A sample that is part of a histogram or summary.
  Status Part(Role role, Labels& labels, double value) {
    std::string_view place;
    if (role == Role::kBucket || role == Role::kQuantile) {
      place = labels.Extract(role == Role::kBucket ? "le" : "quantile");
      if (place.empty()) return Invalid("a bucket has no label le, or a quantile no label quantile");
    }
    if (!open_ || labels.identity() != labels_[current_].identity()) {
      LIMPET_TRY(At(point_line_, FinishPoint()));
      BeginPoint();
    }
    switch (role) {
      case Role::kBucket: return AddBucket(place, value);
      case Role::kQuantile: return AddQuantile(place, value);
      case Role::kSum:
        if (sum_) return Invalid("a sum is there twice");
        sum_ = value;
        return {};
      default:
        if (count_) return Invalid("a count is there twice");
        count_ = ToCount(value);
        return count_ ? Status() : Invalid("a count is not a whole number from 0 to 2^53");
    }
  }

  /// The labels that were taken last are those of the point.
  void BeginPoint() {
    current_ = 1 - current_;
    open_ = true;
    point_line_ = line_;
    sum_.reset(), count_.reset(), infinite_.reset();
    size_ = 0;
    below_ = 0;
  }

  Status AddBucket(std::string_view place, double value) {
    const std::optional<double> bound = ParseValue(place);
    const std::optional<uint64_t> count = ToCount(value);
    if (!bound || std::isnan(*bound) || *bound == -HUGE_VAL) {
      return Invalid("a bucket's le is not a number");
    }
    if (!count) return Invalid("a bucket's count is not a whole number from 0 to 2^53");
    if (infinite_ || (size_ > 0 && *bound <= bounds_[size_ - 1])) {
      return Invalid("the bounds of buckets do not ascend");
    }
    if (*count < below_) return Invalid("a bucket counts less than the one below it");
    if (*bound == HUGE_VAL) {
      infinite_ = *count;
      return {};
    }
    if (size_ == kPrometheusBoundsMax) return Invalid("a histogram has more than 64 bounds");
    bounds_[size_] = *bound;
    buckets_[size_++] = *count - below_;
    below_ = *count;
    return {};
  }

  Status AddQuantile(std::string_view place, double value) {
    const std::optional<double> quantile = ParseValue(place);
    if (!quantile || !(*quantile >= 0 && *quantile <= 1)) {
      return Invalid("a quantile is not a number from 0 to 1");
    }
    if (size_ > 0 && *quantile <= quantiles_[size_ - 1].quantile) {
      return Invalid("the quantiles do not ascend");
    }
    if (size_ == kPrometheusBoundsMax) return Invalid("a summary has more than 64 quantiles");
    quantiles_[size_++] = {*quantile, value};
    return {};
  }

  Status FinishPoint() {
    if (!open_) return {};
    open_ = false;
    PrometheusPoint point{.attributes = labels_[current_].list(),
                          .identity = identity_ + labels_[current_].identity()};
    if (instrument_ == Instrument::kHistogram) {
      if (!count_) count_ = infinite_;
      if (infinite_ && infinite_ != count_) {
        return Invalid("a histogram's count is not that of its bucket +Inf");
      }
    }
    if (!sum_ || !count_) {
      return Invalid("a sum or a count is missing, or the lines of these labels do not stand together");
    }
    point.count = *count_;
    point.sum = *sum_;
    if (instrument_ == Instrument::kHistogram) {
      if (*count_ < below_) return Invalid("a histogram counts less than its buckets");
      buckets_[size_] = *count_ - below_;
      point.bounds = std::span(bounds_).first(size_);
      point.buckets = std::span(buckets_).first(size_ + 1);
    } else {
      point.quantiles = std::span(quantiles_).first(size_);
    }
    return handler_.OnPoint(instrument_, point);
  }

  PrometheusHandler& handler_;
  int32_t line_ = 0;

  std::string_view name_;  // Of the metric; empty before the first.
  Instrument instrument_ = Instrument::kGauge;
  uint64_t identity_ = 0;

  // The histogram or summary whose lines are being gathered.
  bool open_ = false;
  int32_t point_line_ = 0;  // Its first.
  std::array<Labels, 2> labels_;
  size_t current_ = 0;  // Of labels_: its own; the other ones are those of the line.
  std::optional<double> sum_;
  std::optional<uint64_t> count_, infinite_;
  size_t size_ = 0;     // Of bounds or quantiles.
  uint64_t below_ = 0;  // Of the last bucket, as the text counts: all below its bound.
  std::array<double, kPrometheusBoundsMax> bounds_;
  std::array<uint64_t, kPrometheusBoundsMax + 1> buckets_;
  std::array<Quantile, kPrometheusBoundsMax> quantiles_;
};

}  // namespace

Status ParsePrometheusText(std::string_view text, PrometheusHandler& handler) {
  return Parser(handler).Run(text);
}

}  // namespace limpet
