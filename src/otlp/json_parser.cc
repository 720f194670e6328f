#include "otlp/json_parser.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "otlp/json_reader.h"
#include "otlp/schema.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

/// What the exponent of a number says; far beyond the length of any number is far enough.
int64_t Exponent(std::string_view text) {
  const bool negative = text.starts_with('-');
  int64_t value = 0;
  for (const char c : text) {
    if (c != '-' && c != '+') value = std::min<int64_t>(value * 10 + (c - '0'), int64_t{1} << 40);
  }
  return negative ? -value : value;
}

/// The value of a JSON number without its sign; nothing when it has a fraction or more than 64 bits.
std::optional<uint64_t> ParseWhole(std::string_view number) {
  size_t size = 0, point = number.size();  // Of the part before the exponent.
  for (; size < number.size() && (number[size] | 0x20) != 'e'; ++size) {
    if (number[size] == '.') point = size;
  }
  // As many digits are in front of the point, once the exponent has moved it.
  int64_t left = static_cast<int64_t>(std::min(point, size));
  if (size < number.size()) left += Exponent(number.substr(size + 1));
  uint64_t value = 0;
  const auto append = [&](unsigned digit) {
    constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
    if (left-- <= 0) return digit == 0;
    if (value > kMax / 10 || value * 10 > kMax - digit) return false;
    value = value * 10 + digit;
    return true;
  };
  for (const char c : number.substr(0, size)) {
    if (c != '.' && !append(static_cast<unsigned>(c - '0'))) return std::nullopt;
  }
  while (value != 0 && left > 0) {
    if (!append(0)) return std::nullopt;
  }
  return value;
}

/// A JSON number as the 64 bits of its two's complement; nothing when it is not an integer of this
/// kind of field.
std::optional<uint64_t> ParseInteger(std::string_view number, FieldKind kind) {
  const bool negative = number.starts_with('-');
  const std::optional<uint64_t> size = ParseWhole(number.substr(negative ? 1 : 0));
  uint64_t max = std::numeric_limits<uint64_t>::max();
  bool is_signed = false;
  switch (kind) {
    case FieldKind::kNumber:
    case FieldKind::kFlags: max = std::numeric_limits<uint32_t>::max(); break;
    case FieldKind::kEnum:
    case FieldKind::kSint: max = std::numeric_limits<int32_t>::max(), is_signed = true; break;
    case FieldKind::kInt:
    case FieldKind::kSfixed: max = std::numeric_limits<int64_t>::max(), is_signed = true; break;
    default: break;
  }
  if (negative) max = is_signed ? max + 1 : 0;
  if (!size || *size > max) return std::nullopt;
  return negative ? ~*size + 1 : *size;
}

/// The value of a digit of hex (4 bits) or of base64 in either alphabet (6 bits); -1: it is none.
int DigitValue(char c, int bits) {
  const bool hex = bits == 4;
  if (c >= '0' && c <= '9') return c - '0' + (hex ? 0 : 52);
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= (hex ? 'f' : 'z')) return lower - 'a' + (hex ? 10 : c == lower ? 26 : 0);
  if (hex) return -1;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

const FieldSchema* FindField(const MessageSchema& message, std::string_view name) {
  for (const FieldSchema& field : message.fields) {
    if (!name.empty() && name[0] == field.name[0] && name == field.name) return &field;
  }
  return nullptr;
}

/// Goes along the text and the schema at once, without recursion: the messages that are open are
/// frames of a stack.
class Converter {
 public:
  Converter(std::span<const uint8_t> json, std::span<uint8_t> out);

  Result<size_t> Run(const MessageSchema& request);

 private:
  struct Frame {
    const MessageSchema* message;
    const FieldSchema* elements;  // Inside the array of this field; null: between members.
    size_t mark;                  // Where the message begins in the output.
    uint32_t seen;                // Members by their fields' numbers.
    bool chosen;                  // One of the oneof has come.
  };

  /// The output, with room for what has been read. Every write goes through it.
  WireWriter& Out() {
    out_.Resize(std::min(out_bytes_, ahead_ + in_.position()));
    return out_;
  }

  void Step();
  void Enter(const MessageSchema& message, size_t mark);
  void Leave();
  void Member(const FieldSchema& field);
  void Element(const FieldSchema& field);
  void Text(const FieldSchema& field);
  void Coded(int bits);
  void Packed(const FieldSchema& field);
  uint64_t Scalar(FieldKind kind);

  JsonReader in_;
  WireWriter out_;
  const size_t out_bytes_;
  size_t ahead_;  // Bytes of `out` before the text; all of them when it lies elsewhere.
  int depth_ = 0;
  std::array<Frame, kWireDepthMax> frames_;
};

Converter::Converter(std::span<const uint8_t> json, std::span<uint8_t> out)
    : in_({reinterpret_cast<const char*>(json.data()), json.size()}), out_(out), out_bytes_(out.size()) {
  const auto text = reinterpret_cast<uintptr_t>(json.data());
  const auto begin = reinterpret_cast<uintptr_t>(out.data());
  LIMPET_CHECK(text >= begin || begin - text >= json.size());
  ahead_ = text >= begin ? std::min<size_t>(text - begin, out.size()) : out.size();
}

Result<size_t> Converter::Run(const MessageSchema& request) {
  Enter(request, 0);
  while (depth_ > 0 && in_.ok() && out_.ok()) Step();
  if (depth_ == 0) in_.End();
  if (!in_.ok()) return in_.status();
  if (!out_.ok()) return {Code::kFull, 0, "JSON conversion"};
  return out_.size();
}

void Converter::Enter(const MessageSchema& message, size_t mark) {
  if (depth_ == kWireDepthMax) {
    in_.Fail("JSON depth");
    return;
  }
  in_.Enter('{');
  frames_[static_cast<size_t>(depth_++)] = {&message, nullptr, mark, 0, false};
}

void Converter::Leave() {
  --depth_;
  if (depth_ > 0) Out().Close(frames_[static_cast<size_t>(depth_)].mark);
}

/// One member, or one element of an array of messages.
void Converter::Step() {
  Frame& top = frames_[static_cast<size_t>(depth_ - 1)];
  if (top.elements != nullptr) {
    if (in_.More(']')) {
      Element(*top.elements);
    } else {
      top.elements = nullptr;
    }
    return;
  }
  if (!in_.More('}')) {
    Leave();
    return;
  }
  const FieldSchema* const field = FindField(*top.message, in_.Name());
  if (field == nullptr) {
    in_.Skip();
    return;
  }
  const uint32_t bit = uint32_t{1} << field->number;
  if ((top.seen & bit) != 0) in_.Fail("JSON name twice");
  top.seen |= bit;
  if (in_.TakeWord("null")) return;
  if (field->rule == FieldRule::kOneof) {
    if (top.chosen) in_.Fail("JSON oneof twice");
    top.chosen = true;
  }
  if (!field->repeated()) {
    Element(*field);
    return;
  }
  in_.Enter('[');
  if (field->kind == FieldKind::kMessage) {
    top.elements = field;
  } else if (field->kind == FieldKind::kText) {
    while (in_.More(']')) Text(*field);
  } else {
    Packed(*field);
  }
}

/// The value of a field, or one of them.
void Converter::Element(const FieldSchema& field) {
  switch (field.kind) {
    case FieldKind::kMessage: Enter(*field.message, Out().Open(field.number)); break;
    case FieldKind::kText:
    case FieldKind::kId:
    case FieldKind::kBytes: Text(field); break;
    default: {
      const uint64_t value = Scalar(field.kind);
      if (value != 0 || field.rule != FieldRule::kSingle) {
        Out().Scalar(field.number, WireTypeOf(field.kind), value);
      }
    }
  }
}

/// Text, or bytes that are written as text. It goes over piece by piece: its length is not known, and
/// the output may be growing over the text.
void Converter::Text(const FieldSchema& field) {
  if (!in_.Take('"')) {
    in_.Fail("JSON text");
    return;
  }
  const size_t before = out_.size();
  const size_t mark = Out().Open(field.number);
  if (field.kind == FieldKind::kText) {
    for (std::string_view piece; in_.Piece(piece);) {
      Out().Raw({reinterpret_cast<const uint8_t*>(piece.data()), piece.size()});
    }
  } else {
    Coded(field.kind == FieldKind::kId ? 4 : 6);
  }
  if (!out_.ok()) return;
  if (out_.size() == mark && field.rule == FieldRule::kSingle) {
    out_.Rewind(before);
  } else {
    Out().Close(mark);
  }
}

/// Bytes as digits of so many bits: hex or base64.
void Converter::Coded(int bits) {
  uint32_t group = 0;
  int held = 0;  // Bits of the group that have not been written.
  size_t digits = 0, padding = 0;
  for (std::string_view piece; in_.Piece(piece);) {
    for (const char c : piece) {
      if (c == '=' && bits == 6) {
        ++padding;
        continue;
      }
      const int value = DigitValue(c, bits);
      if (value < 0 || padding > 0) {
        in_.Fail("JSON bytes");
        return;
      }
      ++digits;
      group = group << bits | static_cast<uint32_t>(value);
      held += bits;
      if (held < 8) continue;
      held -= 8;
      const auto byte = static_cast<uint8_t>(group >> held);
      Out().Raw({&byte, 1});
    }
  }
  // No digit may be over, no bit lost, and padding either be right or not be there.
  const bool whole = held < bits && (group & ((uint32_t{1} << held) - 1)) == 0;
  if (!whole || (padding > 0 && (padding > 2 || (digits + padding) % 4 != 0))) in_.Fail("JSON bytes");
}

void Converter::Packed(const FieldSchema& field) {
  const WireType type = WireTypeOf(field.kind);
  const size_t before = out_.size();
  const size_t mark = Out().Open(field.number);
  while (in_.More(']')) {
    const uint64_t value = Scalar(field.kind);
    Out().Value(type, value);
  }
  if (!out_.ok()) return;
  if (out_.size() == mark) {
    out_.Rewind(before);
  } else {
    Out().Close(mark);
  }
}

/// The bits of a number or bool as its wire type has them.
uint64_t Converter::Scalar(FieldKind kind) {
  if (kind == FieldKind::kBool) {
    if (in_.TakeWord("true")) return 1;
    if (!in_.TakeWord("false")) in_.Fail("JSON bool");
    return 0;
  }
  const bool quoted = kind != FieldKind::kEnum && in_.Take('"');
  const std::string_view text = quoted ? in_.Short() : in_.Number();
  if (kind == FieldKind::kDouble && quoted) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (text == "NaN") return std::bit_cast<uint64_t>(std::numeric_limits<double>::quiet_NaN());
    if (text == "Infinity") return std::bit_cast<uint64_t>(kInfinity);
    if (text == "-Infinity") return std::bit_cast<uint64_t>(-kInfinity);
  }
  std::optional<uint64_t> value;
  if (text.empty() || JsonNumberSize(text) != text.size()) {
    in_.Fail("JSON number");
  } else if (kind != FieldKind::kDouble) {
    value = ParseInteger(text, kind);
  } else if (const std::optional<double> number = ParseDouble(text)) {
    value = std::bit_cast<uint64_t>(*number);
  }
  if (!value) in_.Fail("JSON number out of range");
  const uint64_t bits = value.value_or(0);
  if (kind != FieldKind::kSint) return bits;
  return bits << 1 ^ (bits >> 63 != 0 ? std::numeric_limits<uint64_t>::max() : 0);
}

}  // namespace

Result<size_t> ConvertOtlpJson(Signal signal, std::span<const uint8_t> json, std::span<uint8_t> out) {
  return Converter(json, out).Run(RequestSchema(signal));
}

}  // namespace limpet
