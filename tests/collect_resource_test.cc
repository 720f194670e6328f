// What limpet says of the host it runs on.
#include "collect/resource.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect_fixture.h"

namespace limpet {
namespace {

using Attributes = std::map<std::string, std::string>;

constexpr HostFacts kFacts{.machine = "aarch64",
                           .release = "6.6.31",
                           .hostname = "me",
                           .container = "",
                           .instance = "0e1f",
                           .version = "0.1.0",
                           .root = "/"};

class ResourceTest : public testing::Test {
 protected:
  Attributes Detect(const HostFacts& facts, std::vector<KeyValue> settings = {}) {
    Resource resource(arena_);
    resource.Detect(facts, files_, scratch_, log_);
    resource.Override(settings);
    Attributes attributes;
    for (const ResourceAttribute& attribute : resource.attributes()) {
      EXPECT_TRUE(attributes.emplace(attribute.key, attribute.value).second) << attribute.key;
    }
    EXPECT_EQ(files_.open_files(), 0u);
    return attributes;
  }

  sim::SimFiles files_;
  sim::SimLog log_;
  std::vector<char> arena_ = std::vector<char>(Resource::kArenaBytes);
  std::vector<char> scratch_ = std::vector<char>(4096);
};

TEST_F(ResourceTest, Board) {
  files_ = HostFiles("rpi4-6.6", "");
  EXPECT_EQ(Detect(kFacts), (Attributes{
                                {"device.manufacturer", "raspberrypi"},
                                {"device.model.identifier", "raspberrypi,4-model-b"},
                                {"device.model.name", "Raspberry Pi 4 Model B Rev 1.4"},
                                {"host.arch", "arm64"},
                                {"host.id", "8b1f6c2f41d64c1c9f1b0d8f2a7e5c90"},
                                {"host.name", "me"},
                                {"os.description", "Debian GNU/Linux 12 (bookworm)"},
                                {"os.name", "Debian GNU/Linux"},
                                {"os.type", "linux"},
                                {"os.version", "12"},
                                {"service.instance.id", "0e1f"},
                                {"service.name", "limpet"},
                                {"service.version", "0.1.0"},
                            }));
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ResourceTest, AnotherRootIsTheHostWhateverWeRunIn) {
  files_ = HostFiles("rpi4-6.6", "/host");
  files_.contents["/.dockerenv"] = "";
  files_.contents["/etc/machine-id"] = "11111111111111111111111111111111\n";
  HostFacts facts = kFacts;
  facts.container = "docker";
  facts.root = "/host/";
  const Attributes got = Detect(facts);
  EXPECT_EQ(got.at("host.id"), "8b1f6c2f41d64c1c9f1b0d8f2a7e5c90");
  EXPECT_EQ(got.at("host.name"), "gateway-7");
}

TEST_F(ResourceTest, NoHostIdInAContainer) {
  struct Case {
    const char* name;
    const char* file;
    const char* variable;
  };
  constexpr Case cases[] = {
      {"docker", "/.dockerenv", ""},
      {"podman", "/run/.containerenv", ""},
      {"nspawn, lxc", "/run/systemd/container", ""},
      {"the variable", "/etc/machine-id", "lxc"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    files_.contents = {{"/etc/machine-id", "11111111111111111111111111111111\n"}};
    files_.contents.emplace(c.file, "");
    HostFacts facts = kFacts;
    facts.container = c.variable;
    EXPECT_FALSE(Detect(facts).contains("host.id"));
  }
}

TEST_F(ResourceTest, Fallbacks) {
  const std::string id = "22222222222222222222222222222222";
  files_.contents = {{"/etc/machine-id", "uninitialized\n"},
                     {"/var/lib/dbus/machine-id", id + "\n"},
                     {"/usr/lib/os-release", "NAME=Fedora\n"}};
  const Attributes got = Detect(kFacts);
  EXPECT_EQ(got.at("host.id"), id);
  EXPECT_EQ(got.at("os.name"), "Fedora");
  EXPECT_EQ(got.at("os.description"), "Linux 6.6.31");
}

TEST_F(ResourceTest, NothingThere) {
  EXPECT_EQ(Detect(kFacts), (Attributes{
                                {"host.arch", "arm64"},
                                {"host.name", "me"},
                                {"os.description", "Linux 6.6.31"},
                                {"os.type", "linux"},
                                {"service.instance.id", "0e1f"},
                                {"service.name", "limpet"},
                                {"service.version", "0.1.0"},
                            }));
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ResourceTest, NothingKnown) {
  EXPECT_EQ(Detect({}), (Attributes{{"os.description", "Linux"},
                                    {"os.type", "linux"},
                                    {"service.name", "limpet"}}));
}

TEST_F(ResourceTest, HostileValuesAreLeftOut) {
  files_.contents = {
      {"/etc/os-release",
       "NAME=caf\xe9\nVERSION_ID=" + std::string(256, 'v') + "\nBUILD_ID=b\n"},
      {"/proc/device-tree/model", "a\x01z"},
      {"/proc/device-tree/compatible", std::string(5000, 'c')},
  };
  const Attributes got = Detect(kFacts);
  EXPECT_FALSE(got.contains("os.name"));
  EXPECT_FALSE(got.contains("os.version"));
  EXPECT_EQ(got.at("os.build_id"), "b");
  EXPECT_FALSE(got.contains("device.model.name"));
  EXPECT_FALSE(got.contains("device.manufacturer"));
  EXPECT_EQ(log_.Count("a resource attribute is left out"), 3u);
  EXPECT_EQ(log_.Count("a file that describes the host cannot be read"), 1u);
}

TEST_F(ResourceTest, AFileThatFails) {
  files_ = HostFiles("rpi4-6.6", "");
  files_.failing["/etc/machine-id"] = Code::kIo;
  EXPECT_FALSE(Detect(kFacts).contains("host.id"));
  EXPECT_EQ(log_.Count("file=/etc/machine-id"), 1u);
}

TEST_F(ResourceTest, LongestValuesFitTheArena) {
  const std::string longest(Resource::kValueMax, 'x');
  files_.contents = {
      {"/h/etc/machine-id", std::string(32, 'a')},
      {"/h/etc/hostname", longest},
      {"/h/etc/os-release", "NAME=" + longest + "\nVERSION_ID=" + longest + "\nPRETTY_NAME=" +
                                longest + "\nBUILD_ID=" + longest + "\n"},
      {"/h/proc/device-tree/model", longest},
      {"/h/proc/device-tree/compatible", std::string(253, 'v') + ",m"},
  };
  HostFacts facts = kFacts;
  facts.root = "/h";
  EXPECT_EQ(Detect(facts).size(), Resource::kDetectedMax);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ResourceTest, SettingsOverrideAddAndRemove) {
  files_ = HostFiles("rpi4-6.6", "");
  const Attributes got = Detect(kFacts, {{"site", "plant-7"},
                                         {"service.name", "edge"},
                                         {"device.manufacturer", ""},
                                         {"not.there", ""},
                                         {"host.name", "gw"}});
  EXPECT_EQ(got.at("site"), "plant-7");
  EXPECT_EQ(got.at("service.name"), "edge");
  EXPECT_EQ(got.at("host.name"), "gw");
  EXPECT_FALSE(got.contains("device.manufacturer"));
  EXPECT_FALSE(got.contains("not.there"));
  EXPECT_EQ(got.size(), 13u);  // One more, one less.
}

TEST_F(ResourceTest, RoomForEverySetting) {
  files_ = HostFiles("openwrt-mips-4.14", "");
  std::vector<std::string> keys;
  for (size_t i = 0; i < Config().resource.size(); ++i) keys.push_back("key" + std::to_string(i));
  std::vector<KeyValue> settings;
  for (const std::string& key : keys) settings.push_back({key, "v"});
  EXPECT_GT(Detect(kFacts, settings).size(), keys.size());
}

TEST(HostArch, Cases) {
  struct Case {
    const char* machine;
    const char* arch;
  };
  constexpr Case cases[] = {
      {"x86_64", "amd64"},   {"i686", "x86"},     {"i586", "x86"},         {"aarch64", "arm64"},
      {"aarch64_be", "arm64"}, {"armv7l", "arm32"}, {"armv6l", "arm32"},   {"armv5tejl", "arm32"},
      {"armv8l", "arm32"},   {"ppc", "ppc32"},    {"ppc64le", "ppc64"},    {"ppc64", "ppc64"},
      {"s390x", "s390x"},    {"ia64", "ia64"},    {"mips", "mips"},        {"mips64", "mips64"},
      {"riscv64", "riscv64"}, {"loongarch64", "loongarch64"}, {"", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(HostArch(c.machine), c.arch);
}

}  // namespace
}  // namespace limpet
