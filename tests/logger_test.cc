#include "log/logger.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/world.h"

namespace limpet {
namespace {

struct Lines final : LogOutput {
  std::vector<std::string> lines;
  void WriteLine(std::string_view line) override { lines.emplace_back(line); }
};

TEST(Logger, WritesLogfmtAndJson) {
  sim::SimClock clock;
  Lines out;
  Logger log(out, clock);
  log.Warn("it fails", {{"name", "primary"}, {"error", "no \"route\""}, {"count", 3}, {"none", ""}});
  EXPECT_EQ(out.lines.at(0),
            "time=2025-06-15T15:06:40.000Z level=warn msg=\"it fails\" name=primary "
            "error=\"no \\\"route\\\"\" count=3 none=\"\"\n");
  log.Configure(Level::kInfo, LogFormat::kJson);
  log.Error("it fails\n", {{"name", "a b"}, {"count", -3}});
  EXPECT_EQ(out.lines.at(1),
            "{\"time\":\"2025-06-15T15:06:40.000Z\",\"level\":\"error\",\"msg\":\"it fails\\n\","
            "\"name\":\"a b\",\"count\":-3}\n");
}

TEST(Logger, LeavesOutWhatIsBelowTheLevel) {
  sim::SimClock clock;
  Lines out;
  Logger log(out, clock);
  log.Debug("d");
  EXPECT_TRUE(out.lines.empty());
  log.Configure(Level::kDebug, LogFormat::kText);
  log.Debug("d");
  EXPECT_EQ(out.lines.size(), 1u);
}

TEST(Logger, LimitsEachMessageAndSaysHowMuchItLeftOut) {
  sim::SimClock clock;
  Lines out;
  Logger log(out, clock);
  for (int i = 0; i < 100; ++i) log.Info("often");
  log.Info("once");
  EXPECT_EQ(out.lines.size(), Logger::kBurst + 1);
  clock.mono = clock.mono + Logger::kWindow;
  log.Info("often");
  EXPECT_NE(out.lines.back().find("suppressed=36"), std::string::npos) << out.lines.back();
}

TEST(Logger, AReportPassesLevelAndLimit) {
  sim::SimClock clock;
  Lines out;
  Logger log(out, clock);
  log.Configure(Level::kError, LogFormat::kText);
  for (int i = 0; i < 30; ++i) log.Report("ledger", {{"i", i}});
  EXPECT_EQ(out.lines.size(), 30u);
}

TEST(Logger, ALineTooLongLosesWholeFields) {
  sim::SimClock clock;
  Lines out;
  Logger log(out, clock);
  log.Configure(Level::kInfo, LogFormat::kJson);
  const std::string large(4000, 'x');
  log.Info("m", {{"large", large}, {"small", 1}});
  EXPECT_EQ(out.lines.at(0).find("large"), std::string::npos);
  EXPECT_NE(out.lines.at(0).find("\"small\":1}\n"), std::string::npos);
}

}  // namespace
}  // namespace limpet
