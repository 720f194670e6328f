#include "batch/otlp_parts.h"

#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

void WriteKeyValue(WireWriter& out, uint32_t field, const Attribute& attribute) {
  const size_t pair = out.Open(field);
  out.String(otlp_KeyValue_key_tag, attribute.key);
  const size_t value = out.Open(otlp_KeyValue_value_tag);
  if (attribute.is_number) {
    out.Varint(otlp_AnyValue_int_value_tag, static_cast<uint64_t>(attribute.number));
  } else if (attribute.is_bool) {
    out.Bool(otlp_AnyValue_bool_value_tag, attribute.number != 0);
  } else {
    out.String(otlp_AnyValue_string_value_tag, attribute.text);
  }
  out.Close(value);
  out.Close(pair);
}

size_t KeyValueSize(const Attribute& attribute) {
  size_t value = FieldSize(attribute.text.size());
  if (attribute.is_number) value = 1 + VarintSize(static_cast<uint64_t>(attribute.number));
  if (attribute.is_bool) value = 2;
  return FieldSize(attribute.key.size()) + FieldSize(value);
}

}  // namespace

size_t AttributesSize(std::span<const Attribute> attributes) {
  size_t size = 0;
  for (const Attribute& attribute : attributes) size += FieldSize(KeyValueSize(attribute));
  return size;
}

void WriteAttributes(WireWriter& out, uint32_t field, std::span<const Attribute> attributes) {
  for (const Attribute& attribute : attributes) WriteKeyValue(out, field, attribute);
}

void WriteScope(WireWriter& out, uint32_t field, std::string_view version) {
  const size_t scope = out.Open(field);
  out.String(otlp_InstrumentationScope_name_tag, "limpet");
  out.String(otlp_InstrumentationScope_version_tag, version);
  out.Close(scope);
}

Result<std::span<const uint8_t>> EncodeResource(std::span<const ResourceAttribute> attributes,
                                                std::span<uint8_t> out) {
  WireWriter writer(out);
  for (const ResourceAttribute& attribute : attributes) {
    WriteKeyValue(writer, otlp_Resource_attributes_tag, Attribute(attribute.key, attribute.value));
  }
  if (!writer.ok()) return {Code::kFull, 0, "resource attributes"};
  return writer.bytes();
}

}  // namespace limpet
