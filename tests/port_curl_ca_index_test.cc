#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "port/curl/ca_index.h"

namespace limpet {
namespace {

using Der = std::string;

Der Element(uint8_t tag, const Der& content) {
  Der out(1, static_cast<char>(tag));
  if (content.size() >= 0x80) {
    out += '\x82';
    out += static_cast<char>(content.size() >> 8);
  }
  out += static_cast<char>(content.size() & 0xff);
  return out + content;
}

Der Name(const std::string& common_name, uint8_t kind = 0x0c) {
  const Der oid = Element(0x06, "\x55\x04\x03");
  return Element(0x30, Element(0x31, Element(0x30, oid + Element(kind, common_name))));
}

/// As much of a certificate as the index looks at; `filler` makes it longer.
Der Certificate(const Der& subject, size_t filler = 200, bool with_version = true) {
  Der tbs;
  if (with_version) tbs += Element(0xa0, Element(0x02, "\x02"));
  tbs += Element(0x02, "\x01") + Element(0x30, "alg") + Name("issuer") + Element(0x30, "dates");
  tbs += subject + Element(0x30, Der(filler, 'k'));
  return Element(0x30, Element(0x30, tbs));
}

std::string Pem(const Der& der, const char* end_of_line = "\n") {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = std::string("-----BEGIN CERTIFICATE-----") + end_of_line;
  std::string line;
  for (size_t i = 0; i < der.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < der.size() ? static_cast<uint8_t>(der[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      line += i + k > der.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
    }
    if (line.size() >= 64) {
      text += line + end_of_line;
      line.clear();
    }
  }
  return text + line + end_of_line + "-----END CERTIFICATE-----" + end_of_line;
}

class Collect final : public CertificateVisitor {
 public:
  Status OnCertificate(std::span<const uint8_t> der) override {
    found.emplace_back(reinterpret_cast<const char*>(der.data()), der.size());
    return result;
  }
  std::vector<Der> found;
  Status result;
};

std::span<const uint8_t> AsBytes(const Der& der) {
  return {reinterpret_cast<const uint8_t*>(der.data()), der.size()};
}

class CaIndexTest : public testing::Test {
 protected:
  CaIndexTest() {
    char name[] = "/tmp/limpet-ca-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/ca.pem";
  }
  ~CaIndexTest() override {
    std::remove(path_.c_str());
    rmdir(folder_.c_str());
  }
  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  std::vector<Der> Find(const Der& name, size_t scratch = 4096) {
    std::vector<uint8_t> room(scratch);
    Collect collect;
    status_ = index_->VisitSubject(AsBytes(name), room, collect);
    return collect.found;
  }

  std::string folder_, path_;
  std::unique_ptr<CaIndex> index_ = std::make_unique<CaIndex>();
  Status status_;
};

TEST_F(CaIndexTest, Files) {
  const std::string a = Pem(Certificate(Name("a")));
  struct Case {
    const char* name;
    std::string text;
    Code code;
    size_t count;
  };
  const Case cases[] = {
      {"one", a, Code::kOk, 1},
      {"two", a + a, Code::kOk, 2},
      {"comments between", "# Root A\n\n" + a + "text\n" + a, Code::kOk, 2},
      {"line ends of Windows", Pem(Certificate(Name("a")), "\r\n"), Code::kOk, 1},
      {"no newline at the end", a.substr(0, a.size() - 1), Code::kOk, 1},
      {"version 1", Pem(Certificate(Name("a"), 100, false)), Code::kOk, 1},
      {"long certificate", Pem(Certificate(Name("a"), 9000)), Code::kOk, 1},
      {"too long certificate", a + Pem(Certificate(Name("a"), 17000)), Code::kOk, 1},
      {"empty", "", Code::kInvalid, 0},
      {"no PEM", std::string(5000, '\x30'), Code::kInvalid, 0},
      {"key only", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
       Code::kInvalid, 0},
      {"cut", a.substr(0, a.size() / 2), Code::kInvalid, 0},
      {"cut, then a whole one", a.substr(0, a.size() / 2) + "\n" + a, Code::kOk, 1},
      {"not base 64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n" + a,
       Code::kOk, 1},
      {"not a certificate", Pem("hello") + a, Code::kOk, 1},
      {"endless line", "-----BEGIN CERTIFICATE-----\n" + std::string(9000, 'A') +
                           "\n-----END CERTIFICATE-----\n" + a,
       Code::kOk, 1},
      {"name cut by the front that is read", Pem(Certificate(Name(std::string(3000, 'n')))) + a,
       Code::kOk, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Write(c.text);
    EXPECT_EQ(index_->Load(path_).code, c.code);
    EXPECT_EQ(index_->count(), c.count);
  }
}

TEST_F(CaIndexTest, FullTable) {
  std::string text;
  for (size_t i = 0; i < CaIndex::kCertificatesMax; ++i) text += Pem(Certificate(Name("a")));
  Write(text);
  EXPECT_TRUE(index_->Load(path_).ok());
  Write(text + Pem(Certificate(Name("a"))));
  EXPECT_EQ(index_->Load(path_).code, Code::kFull);
}

TEST_F(CaIndexTest, NotAFile) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(index_->Load(path_).code, Code::kInvalid) << "and not a wait for somebody who writes";
  EXPECT_EQ(index_->Load("/dev/zero").code, Code::kInvalid);
  EXPECT_EQ(index_->Load(folder_).code, Code::kInvalid);
}

TEST_F(CaIndexTest, NoFile) {
  EXPECT_EQ(index_->Load(path_).code, Code::kNotFound);
  EXPECT_EQ(index_->Load("").code, Code::kInvalid);
  EXPECT_EQ(index_->Load(std::string(kPathMax, 'p')).code, Code::kInvalid);
}

TEST_F(CaIndexTest, FindsBySubject) {
  const Der upper = Certificate(Name("Root CA")), printable = Certificate(Name("root ca", 0x13), 300);
  const Der other = Certificate(Name("Other")), large = Certificate(Name("Large"), 5000);
  Write("comment\n" + Pem(upper) + Pem(other) + Pem(printable) + Pem(large));
  ASSERT_TRUE(index_->Load(path_).ok());
  EXPECT_EQ(index_->largest_bytes(), large.size());
  EXPECT_EQ(Find(Name("Root CA")), (std::vector<Der>{upper, printable}));
  EXPECT_EQ(Find(Name("ROOT ca", 0x13)), (std::vector<Der>{upper, printable}));
  EXPECT_EQ(Find(Name("Other")), std::vector<Der>{other});
  EXPECT_EQ(Find(Name("Nobody")), std::vector<Der>{});
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(Find(Name("Large"), 100), std::vector<Der>{});
  EXPECT_EQ(status_.code, Code::kFull);
}

TEST_F(CaIndexTest, VisitorStopsIt) {
  Write(Pem(Certificate(Name("a"))) + Pem(Certificate(Name("a"))));
  ASSERT_TRUE(index_->Load(path_).ok());
  std::vector<uint8_t> room(4096);
  Collect collect;
  collect.result = {Code::kFull, 0, "test"};
  EXPECT_EQ(index_->VisitSubject(AsBytes(Name("a")), room, collect).code, Code::kFull);
  EXPECT_EQ(collect.found.size(), 1u);
}

TEST_F(CaIndexTest, FollowsTheFile) {
  const Der first = Certificate(Name("a")), second = Certificate(Name("a"), 400);
  Write(Pem(first));
  ASSERT_TRUE(index_->Load(path_).ok());
  Write("# another\n" + Pem(second));
  EXPECT_EQ(Find(Name("a")), std::vector<Der>{second});

  std::remove(path_.c_str());
  EXPECT_EQ(Find(Name("a")), std::vector<Der>{});
  EXPECT_EQ(status_.code, Code::kNotFound);
  Write("nothing");
  EXPECT_EQ(Find(Name("a")), std::vector<Der>{});
  EXPECT_EQ(status_.code, Code::kInvalid);
  Write(Pem(first));
  EXPECT_EQ(Find(Name("a")), std::vector<Der>{first});
}

}  // namespace
}  // namespace limpet
