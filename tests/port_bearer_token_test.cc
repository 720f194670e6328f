// BearerToken: whom it lets in, before there is a token, with one, and when that is replaced.
#include "port/linux/bearer_token.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace limpet {
namespace {

class HandClock final : public Clock {
 public:
  MonoTime Monotonic() override { return now; }
  UnixTime Wall() override { return {}; }
  Result<ClockDiscipline> Discipline() override { return {Code::kUnsupported, 0, "clock"}; }
  MonoTime now{Seconds(5).ns};
};

class Lines final : public Log {
 public:
  void Write(Level, const char* message, std::initializer_list<LogField> fields) override {
    lines.emplace_back(message);
    for (const LogField& field : fields) {
      if (field.key == "error") lines.back() += ": " + std::string(field.text);
    }
  }
  std::vector<std::string> lines;
};

class BearerTokenTest : public testing::Test {
 protected:
  BearerTokenTest() {
    char name[] = "/tmp/limpet-token-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/token";
  }
  ~BearerTokenTest() override { EXPECT_EQ(std::system(("rm -r " + folder_).c_str()), 0); }

  void Write(const std::string& text) {
    std::ofstream(path_ + ".new") << text;
    ASSERT_EQ(rename((path_ + ".new").c_str(), path_.c_str()), 0);
  }
  bool AllowsLater(std::string_view authorization) {
    clock_.now = clock_.now + Seconds(1);
    return token_.Allows(authorization);
  }

  std::string folder_, path_;
  HandClock clock_;
  Lines log_;
  BearerToken token_{clock_, log_};
};

TEST_F(BearerTokenTest, WhoComesIn) {
  Write("s3cret\n");
  ASSERT_TRUE(token_.Start(path_).ok());
  struct Case { const char* authorization; bool in; };
  constexpr Case cases[] = {
      {"Bearer s3cret", true},   {"bearer s3cret", true},   {"BEARER s3cret", true}, {"Bearer  s3cret ", true},
      {"", false},               {"Bearer", false},         {"Bearer ", false},      {"Bearer s3cre", false},
      {"Bearer s3crets", false}, {"Bearer S3cret", false},  {"Bearer t3cret", false}, {"Basic s3cret", false},
      {"s3cret", false},         {"Bearers3cret", false},   {"Bearer\ts3cret", false}, {"Bearer s3cret x", false},
  };
  for (const Case& c : cases) EXPECT_EQ(token_.Allows(c.authorization), c.in) << c.authorization;
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(BearerTokenTest, FilesComeAndGo) {
  ASSERT_TRUE(token_.Start(path_).ok());
  const std::string none = "no token to compare with: every client is refused: not found";
  EXPECT_EQ(log_.lines, std::vector{none});
  for (const char* const any : {"", "Bearer ", "Bearer x", "Bearer not found"}) EXPECT_FALSE(AllowsLater(any));
  EXPECT_EQ(log_.lines.size(), 1u) << "once";

  Write("one");
  EXPECT_TRUE(AllowsLater("Bearer one"));
  EXPECT_EQ(log_.lines.back(), "the token of a listener can be read again");
  Write("two");
  EXPECT_TRUE(token_.Allows("Bearer one")) << "within the second nobody looks";
  EXPECT_TRUE(AllowsLater("Bearer two"));
  EXPECT_FALSE(token_.Allows("Bearer one"));

  Write("\n");
  EXPECT_TRUE(AllowsLater("Bearer two"));
  EXPECT_EQ(log_.lines.back(), "the token of a listener cannot be read: the last one stays in force: it is empty");
  EXPECT_FALSE(AllowsLater("Bearer "));
  EXPECT_EQ(unlink(path_.c_str()), 0);
  EXPECT_TRUE(AllowsLater("Bearer two"));
  EXPECT_EQ(log_.lines.size(), 3u);
  Write(std::string(4096, 'x'));
  EXPECT_TRUE(AllowsLater("Bearer " + std::string(4096, 'x')));
  EXPECT_FALSE(AllowsLater("Bearer two"));
  EXPECT_EQ(log_.lines.size(), 4u);
}

TEST_F(BearerTokenTest, BadPath) { EXPECT_EQ(token_.Start("").code, Code::kInvalid); }

}  // namespace
}  // namespace limpet
