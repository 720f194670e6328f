#include "sink/otlp_json.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "otlp/schema.h"

namespace limpet {
namespace {

void WriteBase64(MessageBytes bytes, LineOut& out) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out << '"';
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(bytes.size() - i, 3);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) {
      out << (j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=');
    }
  }
  out << '"';
}

void WriteDouble(double value, LineOut& out) {
  if (std::isnan(value)) {
    out << "\"NaN\"";
  } else if (std::isinf(value)) {
    out << (value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    out.Double(value);
  }
}

void WriteScalar(FieldKind kind, uint64_t bits, LineOut& out) {
  const auto number = static_cast<int64_t>(bits);
  switch (kind) {
    case FieldKind::kBool: out << (bits != 0 ? "true" : "false"); break;
    case FieldKind::kNumber:
    case FieldKind::kFlags: out << static_cast<uint32_t>(bits); break;
    case FieldKind::kEnum: out << static_cast<int32_t>(bits); break;
    case FieldKind::kSint: out << static_cast<int64_t>(bits >> 1 ^ (~(bits & 1) + 1)); break;
    case FieldKind::kInt:
    case FieldKind::kSfixed: out << '"' << number << '"'; break;
    case FieldKind::kDouble: WriteDouble(std::bit_cast<double>(bits), out); break;
    default: out << '"' << bits << '"'; break;
  }
}

void WriteMembers(const MessageSchema& message, MessageBytes bytes, int depth, LineOut& out);

/// Of a value that is written with its length.
void WriteLong(const FieldSchema& field, MessageBytes bytes, int depth, LineOut& out) {
  switch (field.kind) {
    case FieldKind::kText:
      out.Quoted({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      break;
    case FieldKind::kId: (out << '"').Hex(bytes) << '"'; break;
    case FieldKind::kBytes: WriteBase64(bytes, out); break;
    default:
      out << '{';
      if (depth > 0) WriteMembers(*field.message, bytes, depth - 1, out);
      out << '}';
      break;
  }
}

uint64_t ReadScalar(WireReader& in) {
  switch (in.type()) {
    case WireType::kVarint: return in.Varint();
    case WireType::kFixed64: return in.Fixed64();
    default: return in.Fixed32();
  }
}

bool IsOneof(const FieldSchema& field) { return field.rule == FieldRule::kOneof; }

/// Fields may come in any order, several times and mixed: each is looked for in its turn. Of one that
/// is not repeated the last counts.
void WriteMembers(const MessageSchema& message, MessageBytes bytes, int depth, LineOut& out) {
  uint32_t chosen = 0;  // Of the oneof.
  if (std::any_of(message.fields.begin(), message.fields.end(), IsOneof)) {
    for (WireReader in(bytes); in.Next();) {
      const bool found =
          std::any_of(message.fields.begin(), message.fields.end(), [&](const FieldSchema& field) {
            return IsOneof(field) && field.number == in.field();
          });
      if (found) chosen = in.field();
    }
  }
  bool first = true;
  for (const FieldSchema& field : message.fields) {
    if (IsOneof(field) && field.number != chosen) continue;
    const WireType type = WireTypeOf(field.kind);
    size_t count = 0;
    const auto begin = [&] {
      if (count++ > 0) {
        out << ',';
        return;
      }
      if (!first) out << ',';
      first = false;
      out << '"' << field.name << "\":" << (field.repeated() ? "[" : "");
    };
    if (field.repeated() && type != WireType::kLength) {
      RepeatedReader values(bytes, field.number, type);
      for (uint64_t bits = 0; values.Next(bits);) {
        begin();
        WriteScalar(field.kind, bits, out);
      }
    } else if (field.repeated()) {
      for (WireReader in(bytes); in.Next();) {
        if (in.field() != field.number || in.type() != type) continue;
        begin();
        WriteLong(field, in.Bytes(), depth, out);
      }
    } else {
      MessageBytes last;
      uint64_t bits = 0;
      bool found = false;
      for (WireReader in(bytes); in.Next();) {
        if (in.field() != field.number || in.type() != type) continue;
        found = true;
        if (type == WireType::kLength) {
          last = in.Bytes();
        } else {
          bits = ReadScalar(in);
        }
      }
      if (found) {
        begin();
        if (type == WireType::kLength) {
          WriteLong(field, last, depth, out);
        } else {
          WriteScalar(field.kind, bits, out);
        }
      }
    }
    if (field.repeated() && count > 0) out << ']';
  }
}

}  // namespace

void WriteOtlpJson(Signal signal, MessageBytes request, LineOut& out) {
  WriteMembers(RequestSchema(signal), request, kWireDepthMax, out);
}

}  // namespace limpet
