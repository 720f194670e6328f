#include "config/print.h"

#include "config/endpoint.h"
#include "config/ini.h"
#include "config/table.h"

namespace limpet {
namespace {

void PrintUrl(TextWriter& out, std::string_view url) {
  TextBuffer<kIniLineMax> masked;
  WriteMaskedUrl(masked, url);
  WriteValue(out, masked.text());
}

void PrintPairs(TextWriter& out, const Row& row, const Pairs& pairs) {
  const std::string_view pattern(row.key);
  const size_t star = pattern.find('*');
  for (const KeyValue& pair : pairs.items.first(*pairs.count)) {
    out << pattern.substr(0, star) << pair.key << pattern.substr(star + 1) << " = ";
    WriteValue(out, row.secret ? kMask : pair.value);
    out << '\n';
  }
}

void PrintSection(TextWriter& out, const SectionRow& section, const Owners& owners) {
  for (const Row& row : Rows()) {
    if (row.place == nullptr || std::string_view(row.section) != section.name) continue;
    if (!Concerns(row, owners.log)) continue;
    const Place place = row.place(owners);
    if (const Pairs* const pairs = std::get_if<Pairs>(&place)) {
      PrintPairs(out, row, *pairs);
      continue;
    }
    out << row.key << " = ";
    const Value value = LoadValue(place);
    if (row.secret) {
      PrintUrl(out, value.text);
    } else {
      FormatValue(out, row.kind, row.choices, value);
    }
    out << '\n';
  }
}

}  // namespace

void PrintConfig(TextWriter& out, const Config& config) {
  Config places = config;  // The table gives places to write to.
  const char* between = "";
  for (const SectionRow& section : Sections()) {
    const std::string_view name(section.name);
    if (!section.built || (section.present != nullptr && !*section.present(places))) continue;
    const bool destinations = name == kDestinationSection, logs = name == kLogSection;
    const size_t count = destinations ? config.destination_count : logs ? config.log_count : 1;
    for (size_t i = 0; i < count; ++i, between = "\n") {
      const Owners owners{places, places.destinations[destinations ? i : 0], places.logs[logs ? i : 0]};
      out << between << '[' << name.substr(0, name.find('*'));
      out << (destinations ? owners.destination.name : logs ? owners.log.name : "") << "]\n";
      PrintSection(out, section, owners);
    }
  }
}

}  // namespace limpet
