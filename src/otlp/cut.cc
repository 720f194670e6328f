#include "otlp/cut.h"

#include <algorithm>
#include <array>
#include <bit>

#include "otlp/schema.h"
#include "otlp/wire_reader.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

/// Is shown the items in the order of the request.
class ItemVisitor {
 public:
  /// time_ns: as in the message, 0 when it has none. False cuts the item out.
  virtual bool Keep(uint64_t time_ns) = 0;

 protected:
  ~ItemVisitor() = default;
};

/// One pass over a request.
class Walk {
 public:
  /// out: takes what is kept; nullptr when the pass only looks.
  Walk(ItemVisitor& visitor, WireWriter* out) : visitor_(visitor), out_(out) {}

  /// Calls itself for what is nested, as deep as the items lie.
  Status Level(const MessageSchema& message, WireReader in);

 private:
  Status Nested(const MessageSchema& inner, WireReader& in);

  ItemVisitor& visitor_;
  WireWriter* const out_;
  uint32_t kept_ = 0;
};

Result<uint64_t> TimeOf(const MessageSchema& message, WireReader item) {
  uint64_t time = 0, otherwise = 0;
  while (item.Next()) {
    if (item.field() == message.time) {
      time = item.Fixed64();
    } else if (item.field() == message.time_else) {
      otherwise = item.Fixed64();
    }
  }
  LIMPET_TRY(item.status());
  return time != 0 ? time : otherwise;
}

Status Walk::Nested(const MessageSchema& inner, WireReader& in) {
  const WireReader contents = in.Message();
  LIMPET_TRY(in.status());
  if (inner.role == ItemRole::kItem) {
    const Result<uint64_t> time = TimeOf(inner, contents);
    LIMPET_TRY(time.status());
    if (!visitor_.Keep(time.value())) return {};
    ++kept_;
    if (out_ != nullptr) out_->Raw(in.raw());
    return {};
  }
  if (out_ == nullptr) return Level(inner, contents);
  const uint32_t kept_before = kept_;
  const size_t begin = out_->size();
  const size_t mark = out_->Open(in.field());
  LIMPET_TRY(Level(inner, contents));
  if (kept_ == kept_before) {
    out_->Rewind(begin);
  } else {
    out_->Close(mark);
  }
  return {};
}

Status Walk::Level(const MessageSchema& message, WireReader in) {
  while (in.Next()) {
    if (const MessageSchema* const inner = message.Inner(in.field()); inner != nullptr) {
      LIMPET_TRY(Nested(*inner, in));
    } else if (out_ != nullptr) {
      out_->Raw(in.raw());
    }
  }
  return in.status();
}

class Survey final : public ItemVisitor {
 public:
  bool Keep(uint64_t time_ns) override {
    summary.Add(time_ns);
    in_order = in_order && time_ns >= before_;
    before_ = time_ns;
    least = std::min(least, time_ns);
    most = std::max(most, time_ns);
    return true;
  }

  ItemSummary summary;
  bool in_order = true;
  uint64_t least = UINT64_MAX, most = 0;

 private:
  uint64_t before_ = 0;
};

/// Counts the items by eight bits of their time, those that agree with `prefix` in the bits above.
class DigitCounter final : public ItemVisitor {
 public:
  DigitCounter(uint64_t prefix, int shift) : prefix_(prefix), shift_(shift) {}

  bool Keep(uint64_t time_ns) override {
    // Twice, since all 64 bits may be too many for one shift.
    if ((time_ns ^ prefix_) >> shift_ >> 8 == 0) ++counts[time_ns >> shift_ & 0xff];
    return true;
  }

  std::array<uint32_t, 256> counts{};

 private:
  const uint64_t prefix_;
  const int shift_;
};

/// A rank, as what can be seen on the way: the time of the item that has it, and how many of the
/// same time stand before that one.
struct Bound {
  uint64_t time_ns = 0;
  uint32_t skip = 0;

  /// Asked of each item in turn: is its rank this one or a higher one?
  bool Reached(uint64_t time) {
    if (time != time_ns) return time > time_ns;
    if (skip == 0) return true;
    --skip;
    return false;
  }
};

/// Selects by counting, eight bits of the time in each pass, from where the times begin to differ.
Result<Bound> Find(const MessageSchema& schema, WireReader request, const Survey& survey,
                   uint32_t rank) {
  if (rank >= survey.summary.items) return Bound{UINT64_MAX, UINT32_MAX};
  Bound bound{survey.least, rank};
  const auto differing = static_cast<int>(std::bit_width(survey.least ^ survey.most));
  for (int shift = (differing - 1) / 8 * 8; shift >= 0; shift -= 8) {
    DigitCounter digits(bound.time_ns, shift);
    LIMPET_TRY(Walk(digits, nullptr).Level(schema, request));
    size_t digit = 0;
    for (; bound.skip >= digits.counts[digit]; ++digit) bound.skip -= digits.counts[digit];
    bound.time_ns = (bound.time_ns & ~(uint64_t{0xff} << shift)) | uint64_t{digit} << shift;
  }
  return bound;
}

class RangeKeeper final : public ItemVisitor {
 public:
  /// by_place: in a request in order of time, rank is place, as if all times were 0.
  RangeKeeper(Bound first, Bound last, bool by_place)
      : first_(first), last_(last), by_place_(by_place) {}

  bool Keep(uint64_t time_ns) override {
    const uint64_t key = by_place_ ? 0 : time_ns;
    const bool begun = first_.Reached(key);
    const bool over = last_.Reached(key);
    if (!begun || over) return false;
    kept.Add(time_ns);
    return true;
  }

  ItemSummary kept;

 private:
  Bound first_, last_;
  const bool by_place_;
};

}  // namespace

Result<RequestPart> CutItems(Signal signal, std::span<uint8_t> request, uint32_t first,
                             uint32_t last) {
  const MessageSchema& schema = RequestSchema(signal);
  const WireReader in(request);
  Survey survey;  // Once it is through, no later pass can find a mistake.
  LIMPET_TRY(Walk(survey, nullptr).Level(schema, in));
  Result<Bound> begin = Bound{0, first}, end = Bound{0, last};
  if (!survey.in_order) {
    begin = Find(schema, in, survey, first);
    end = Find(schema, in, survey, last);
    LIMPET_TRY(begin.status());
    LIMPET_TRY(end.status());
  }
  RangeKeeper keeper(begin.value(), end.value(), survey.in_order);
  WireWriter out(request);  // C3: a tag or length may get shorter, never longer.
  LIMPET_TRY(Walk(keeper, &out).Level(schema, in));
  LIMPET_CHECK(out.ok());
  return RequestPart{out.size(), keeper.kept};
}

}  // namespace limpet
