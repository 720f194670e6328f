#include "config/table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config_fixture.h"
#include "source_dir.h"

namespace limpet {
namespace {

std::string ReadSource(const std::string& path) {
  std::ifstream file(std::string(kSourceDir) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

/// A line of the documented file: `key = value ; comment`, perhaps behind a `;`.
struct Line {
  bool active = true;
  std::string left, comment;
};

std::vector<Line> KeysAndSections(const std::string& text) {
  std::vector<Line> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    Line parsed;
    parsed.active = line[0] != ';';
    const std::string_view rest = std::string_view(line).substr(parsed.active ? 0 : 1);
    const size_t comment = rest.find(" ; ");
    parsed.left = Trim(rest.substr(0, comment));
    if (comment != std::string_view::npos) parsed.comment = rest.substr(comment + 3);
    lines.push_back(parsed);
  }
  return lines;
}

std::string Named(std::string_view pattern, std::string_view name) {
  std::string text(pattern);
  const size_t at = text.find('*');
  return at == std::string::npos ? text : text.replace(at, 1, name);
}

// One line for each section and each key, in order, with default and help, and none besides.
TEST(LimpetIni, IsTheTable) {
  const std::string mark = "not available in this build yet: ";
  std::vector<Line> expected;
  for (const SectionRow& section : Sections()) {
    const bool destination = std::string_view(section.name) == kDestinationSection;
    // A source runs when its section is there: all but this host's own are only shown.
    const bool host = std::string_view(section.name) == "host";
    const bool logs = std::string_view(section.name) == kLogSection;
    const bool active = section.built && ((section.present == nullptr && !logs) || host);
    expected.push_back({active,
                        "[" + Named(section.name, destination ? "primary" : "NAME") + "]",
                        (section.built ? "" : mark) + section.help});
    for (const Row& row : Rows()) {
      if (std::string_view(row.section) != section.name) continue;
      const std::string key = Named(row.key, "NAME");
      std::string value = row.fallback;
      if (key == "url") value = "https://gateway.example:4318";  // One is required.
      const bool built = row.place != nullptr;
      expected.push_back({built && active && key.find("NAME") == std::string::npos,
                          key + " =" + (value.empty() ? "" : " ") + value,
                          (built || !section.built ? "" : mark) + row.help});
    }
  }
  const std::vector<Line> lines = KeysAndSections(ReadSource("config/limpet.ini"));
  for (size_t i = 0; i < std::max(lines.size(), expected.size()); ++i) {
    ASSERT_LT(i, lines.size()) << "missing: " << expected[i].left;
    ASSERT_LT(i, expected.size()) << "not in the table: " << lines[i].left;
    EXPECT_EQ(lines[i].left, expected[i].left);
    EXPECT_EQ(lines[i].comment, expected[i].comment) << lines[i].left;
    EXPECT_EQ(lines[i].active, expected[i].active) << lines[i].left;
  }
}

TEST(LimpetIni, IsValidAndMeansTheDefaults) {
  ConfigWorld world;
  world.texts["limpet.ini"] = ReadSource("config/limpet.ini");
  Config config;
  EXPECT_TRUE(world.Load(config).ok());
  for (const std::string& error : world.errors) ADD_FAILURE() << error;
  EXPECT_TRUE(config.host.present);
  EXPECT_FALSE(config.receive.present);

  Config defaults;
  SetDefaults(defaults);
  DestinationConfig no_destination;
  LogConfig no_log;
  for (const Row& row : Rows()) {
    const std::string_view section(row.section);
    if (row.place == nullptr || section == kDestinationSection || section == kLogSection) continue;
    SCOPED_TRACE(std::string(row.section) + "." + row.key);
    const Place place = row.place({config, no_destination, no_log});
    if (std::holds_alternative<Pairs>(place)) continue;
    // Of a choice without a default, another key decides.
    if (row.kind == Kind::kChoice && row.fallback[0] == '\0') continue;
    EXPECT_TRUE(SameValue(row.kind, LoadValue(place), LoadValue(row.place({defaults, no_destination, no_log}))));
  }
  for (const Order order : config.queue.order_of) EXPECT_EQ(order, config.queue.order);
}

TEST(DemoIni, IsValid) {
  ConfigWorld world;
  world.texts["demo.ini"] = ReadSource("config/demo.ini");
  Config config;
  EXPECT_TRUE(world.Load(config, "demo.ini").ok());
  for (const std::string& error : world.errors) ADD_FAILURE() << error;
  EXPECT_EQ(config.agent.state_dir, "/tmp/limpet-demo/state");
  EXPECT_EQ(config.host.interval, Seconds(2));
  EXPECT_EQ(config.destinations[0].signal_url[0], "http://127.0.0.1:4318/v1/metrics");
  world.variables["LIMPET_DEMO_DIR"] = "/home/u/demo";
  EXPECT_TRUE(world.Load(config, "demo.ini").ok());
  EXPECT_EQ(config.agent.run_dir, "/home/u/demo/run");
}

// What the loader takes for granted of each row.
TEST(Table, RowsHoldTogether) {
  std::set<std::string> seen;
  std::string last;
  for (const Row& row : Rows()) {
    SCOPED_TRACE(std::string(row.section) + "." + row.key);
    EXPECT_TRUE(seen.insert(std::string(row.section) + "." + row.key).second);
    if (row.section != last) {
      EXPECT_TRUE(seen.insert(row.section).second) << "its keys do not stand together";
    }
    last = row.section;
    EXPECT_NE(row.help[0], '\0');

    bool known = false;
    for (const SectionRow& section : Sections()) {
      if (std::string_view(section.name) != row.section) continue;
      known = true;
      if (!section.built) { EXPECT_EQ(row.place, nullptr); }
    }
    EXPECT_TRUE(known);

    std::string_view star;
    EXPECT_EQ(FindRow(row.section, Named(row.key, "x"), &star), &row) << "hidden by another row";

    TextBuffer<256> problem, written;
    if (row.fallback[0] != '\0') {
      const Result<Value> value = ParseValue(row.kind, row.choices, row.fallback, problem);
      ASSERT_TRUE(value.ok()) << problem.text();
      FormatValue(written, row.kind, row.choices, value.value());
      const Result<Value> again = ParseValue(row.kind, row.choices, written.text(), problem);
      ASSERT_TRUE(again.ok()) << written.text();
      EXPECT_TRUE(SameValue(row.kind, value.value(), again.value()));
    }

    const bool number = row.kind == Kind::kDuration || row.kind == Kind::kSize ||
                        row.kind == Kind::kCount || row.kind == Kind::kNumber ||
                        row.kind == Kind::kPercent;
    EXPECT_EQ(row.min < row.max, number);
    const bool words = row.kind == Kind::kChoice || row.kind == Kind::kFlags;
    EXPECT_EQ(row.choices[0] != '\0', words);

    EXPECT_NE(row.types, 0);
    if (std::string_view(row.section) != kLogSection) { EXPECT_EQ(row.types, kAllLogTypes); }
  }
}

// A value goes where its kind fits, and comes back the same.
TEST(Table, PlacesFitTheirKinds) {
  Config config;
  DestinationConfig destination;
  LogConfig log;
  for (const Row& row : Rows()) {
    if (row.place == nullptr) continue;
    SCOPED_TRACE(std::string(row.section) + "." + row.key);
    const Place place = row.place({config, destination, log});
    bool fits = false;
    switch (row.kind) {
      case Kind::kText:
      case Kind::kPath:
        fits = std::holds_alternative<std::string_view*>(place) || std::holds_alternative<Pairs>(place);
        break;
      case Kind::kProxy:
      case Kind::kHost:
      case Kind::kPins:
      case Kind::kList:
      case Kind::kUrl:
      case Kind::kWholeUrl:
      case Kind::kAddress:
      case Kind::kListener:
        fits = std::holds_alternative<std::string_view*>(place);
        break;
      case Kind::kDuration:
        fits = std::holds_alternative<Duration*>(place);
        break;
      case Kind::kSize:
        fits = std::holds_alternative<uint64_t*>(place) ||
               (std::holds_alternative<uint32_t*>(place) && row.max <= UINT32_MAX);
        break;
      case Kind::kCount:
      case Kind::kPercent:
        fits = std::holds_alternative<uint32_t*>(place);
        break;
      case Kind::kNumber:
        fits = std::holds_alternative<double*>(place);
        break;
      case Kind::kBoolean:
        fits = std::holds_alternative<bool*>(place);
        break;
      case Kind::kDate:
        fits = std::holds_alternative<UnixTime*>(place);
        break;
      case Kind::kChoice:
        fits = std::holds_alternative<uint8_t*>(place) || std::holds_alternative<bool*>(place);
        break;
      case Kind::kFlags:
        fits = std::holds_alternative<uint8_t*>(place) || std::holds_alternative<uint32_t*>(place);
        break;
    }
    EXPECT_TRUE(fits);
    if (std::holds_alternative<Pairs>(place)) continue;
    const Value value{.text = "t", .integer = 1, .number = 1};
    StoreValue(place, value);
    const Value got = LoadValue(place);
    EXPECT_TRUE(got.text == "t" || got.integer == 1 || got.number == 1);
  }
}

TEST(Table, FindsSectionsAndRows) {
  struct Case { const char* name; const char* row; const char* star; };
  constexpr Case cases[] = {
      {"agent", "agent", ""},          {"destination.a-B_9", "destination.*", "a-B_9"},
      {"log.app", "log.*", "app"},     {"log", nullptr, ""},
      {"receive.otlp", "receive.otlp", ""}, {"receive", nullptr, ""}, {"destination.", nullptr, ""},
      {"destination.a.b", nullptr, ""}, {"destination.a b", nullptr, ""}, {"", nullptr, ""},
      {"destination.12345678901234567890123456789012", "destination.*",
       "12345678901234567890123456789012"},
      {"destination.123456789012345678901234567890123", nullptr, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string_view star;
    const SectionRow* const row = FindSection(c.name, &star);
    ASSERT_EQ(row != nullptr, c.row != nullptr);
    if (row == nullptr) continue;
    EXPECT_STREQ(row->name, c.row);
    EXPECT_EQ(star, c.star);
  }
  std::string_view star;
  EXPECT_STREQ(FindRow("destination.*", "header.X_file", &star)->key, "header.*_file");
  EXPECT_EQ(star, "X");
  EXPECT_STREQ(FindRow("destination.*", "header.X", &star)->key, "header.*");
  EXPECT_EQ(FindRow("destination.*", "header.", &star), nullptr);
}

}  // namespace
}  // namespace limpet
