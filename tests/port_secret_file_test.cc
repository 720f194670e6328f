// SecretFile: what is read, what is refused, and when it is read again.
#include "port/linux/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace limpet {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() {
    char name[] = "/tmp/limpet-secret-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/token";
  }
  ~SecretFileTest() override { EXPECT_EQ(std::system(("rm -r " + folder_).c_str()), 0); }

  /// As whoever rotates a secret should: a new file in the place of the old one.
  void Write(const std::string& text) {
    std::ofstream(path_ + ".new") << text;
    ASSERT_EQ(rename((path_ + ".new").c_str(), path_.c_str()), 0);
  }
  /// A second later.
  bool Refresh() {
    now_ = now_ + Seconds(1);
    return secret_.Refresh(now_);
  }

  std::string folder_, path_;
  std::array<char, 101> room_{};  // For 100.
  SecretFile secret_;
  MonoTime now_{Seconds(5).ns};
};

TEST_F(SecretFileTest, Contents) {
  struct Case {
    const char* name;
    std::string text;
    Code code;
    std::string value;
  };
  const Case cases[] = {
      {"plain", "s3cret", Code::kOk, "s3cret"},
      {"a line", "s3cret\n", Code::kOk, "s3cret"},
      {"of another system", "s3cret\r\n", Code::kOk, "s3cret"},
      {"blanks are its own", " s3 cret ", Code::kOk, " s3 cret "},
      {"as long as may be", std::string(100, 'x') + "\n", Code::kOk, std::string(100, 'x')},
      {"a byte longer", std::string(101, 'x'), Code::kFull, ""},
      {"far longer", std::string(100'000, 'x'), Code::kFull, ""},
      {"empty", "", Code::kInvalid, ""},
      {"an empty line", "\n", Code::kInvalid, ""},
      {"two lines", "a\nb\n", Code::kInvalid, ""},
      {"a NUL", std::string("a\0b", 3), Code::kInvalid, ""},
      {"DEL", "a\x7f", Code::kInvalid, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    SecretFile secret;
    ASSERT_TRUE(secret.Init(path_, room_).ok());
    Write(c.text);
    EXPECT_EQ(secret.Refresh({}), c.code == Code::kOk);
    EXPECT_EQ(secret.status().code, c.code);
    if (c.code == Code::kFull) { EXPECT_STREQ(secret.status().where, "it is too long"); }
    EXPECT_EQ(secret.value(), c.value);
    EXPECT_EQ(room_[secret.value().size()], '\0');
  }
}

TEST_F(SecretFileTest, WhatIsNoFile) {
  ASSERT_TRUE(secret_.Init(path_, room_).ok());
  EXPECT_FALSE(Refresh());
  EXPECT_EQ(secret_.status().code, Code::kNotFound);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(Refresh());
  EXPECT_EQ(secret_.status().code, Code::kInvalid);
  EXPECT_EQ(secret_.Init("", room_).code, Code::kInvalid);
  EXPECT_EQ(secret_.Init(std::string(kPathMax, 'x'), room_).code, Code::kInvalid);
}

TEST_F(SecretFileTest, IsReadAgainWhenItChanges) {
  ASSERT_TRUE(secret_.Init(path_, room_).ok());
  Write("one");
  EXPECT_TRUE(Refresh());
  EXPECT_FALSE(Refresh());
  Write("two");
  EXPECT_FALSE(secret_.Refresh(now_ + Milliseconds(999))) << "within a second nobody looks";
  EXPECT_EQ(secret_.value(), "one");
  EXPECT_TRUE(Refresh());
  EXPECT_EQ(secret_.value(), "two");
  Write("two");
  EXPECT_FALSE(Refresh()) << "another file, the same secret";
  Write("three");
  secret_.Distrust();
  EXPECT_TRUE(secret_.Refresh(now_)) << "at once, since it was refused";
  EXPECT_EQ(secret_.value(), "three");
}

TEST_F(SecretFileTest, WhatWasGoodStays) {
  ASSERT_TRUE(secret_.Init(path_, room_).ok());
  Write("good");
  EXPECT_TRUE(Refresh());
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_FALSE(Refresh());
  EXPECT_EQ(secret_.status().code, Code::kNotFound);
  EXPECT_EQ(secret_.value(), "good");
  Write("");
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(Refresh());
    EXPECT_EQ(secret_.status().code, Code::kInvalid) << "also when it is not read again";
    EXPECT_EQ(secret_.value(), "good");
  }
  Write("good");
  EXPECT_FALSE(Refresh());
  EXPECT_TRUE(secret_.status().ok());
}

}  // namespace
}  // namespace limpet
