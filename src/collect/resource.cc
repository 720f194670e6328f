#include "collect/resource.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "collect/identity.h"
#include "collect/os_release.h"
#include "collect/root_files.h"
#include "collect/scan.h"

namespace limpet {

/// One pass over the files; holds what each step needs.
struct Resource::Detector {
  Resource& resource;
  const HostFacts& facts;
  RootFiles root;
  std::span<char> scratch;
  Log& log;

  /// The text of a file in the scratch buffer; empty when there is none.
  std::string_view Read(const char* path) {
    const Result<std::string_view> text = root.ReadWhole(path, scratch);
    if (text.ok()) return text.value();
    if (text.status().code != Code::kNotFound) {
      log.Warn("a file that describes the host cannot be read",
               {{"file", path}, {"error", CodeName(text.status().code)}});
    }
    return {};
  }

  /// Copies a value out of the scratch buffer into the arena.
  void Keep(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    if (value.size() > kValueMax || value.size() > resource.arena_.size() || !IsPlainText(value)) {
      log.Warn("a resource attribute is left out: too long, or not UTF-8", {{"attribute", key}});
      return;
    }
    std::memcpy(resource.arena_.data(), value.data(), value.size());
    resource.Set(key, {resource.arena_.data(), value.size()});
    resource.arena_ = resource.arena_.subspan(value.size());
  }

  /// The machine-id inside a container names the container or its image, not the host. With another
  /// root it is the host's own file that is read.
  bool InContainer() {
    return root.is_own() &&
           (!facts.container.empty() || root.Exists("/.dockerenv") ||
            root.Exists("/run/.containerenv") || root.Exists("/run/systemd/container"));
  }

  void Host() {
    if (!InContainer()) {
      for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
        const Result<std::string_view> id = ParseMachineId(Read(path));
        if (!id.ok()) continue;
        Keep("host.id", id.value());
        break;
      }
    }
    // With another root our own host name is that of the container.
    const std::string_view name =
        root.is_own() ? std::string_view() : Trim(WithoutNewline(Read("/etc/hostname")));
    Keep("host.name", name.empty() ? facts.hostname : name);
    resource.Set("host.arch", HostArch(facts.machine));
  }

  void Os() {
    resource.Set("os.type", "linux");
    std::string_view text = Read("/etc/os-release");
    if (text.empty()) text = Read("/usr/lib/os-release");
    const OsRelease os = ParseOsRelease(scratch.first(text.size()));
    Keep("os.name", os.name);
    Keep("os.version", os.version_id);
    Keep("os.build_id", os.build_id);
    TextBuffer<kValueMax> kernel;
    kernel << "Linux";
    if (!facts.release.empty()) kernel << ' ' << facts.release;
    Keep("os.description", os.pretty_name.empty() ? kernel.text() : os.pretty_name);
  }

  void Device() {
    const BoardName board = ParseCompatible(Read("/proc/device-tree/compatible"));
    Keep("device.manufacturer", board.vendor);
    Keep("device.model.identifier", board.name);
    Keep("device.model.name", Trim(ParseModel(Read("/proc/device-tree/model"))));
  }

  void Service() {
    resource.Set("service.name", "limpet");
    resource.Set("service.instance.id", facts.instance);
    resource.Set("service.version", facts.version);
  }
};

void Resource::Detect(const HostFacts& facts, Files& files, std::span<char> scratch, Log& log) {
  Detector detector{*this, facts, RootFiles(files, facts.root), scratch, log};
  detector.Service();
  detector.Host();
  detector.Os();
  detector.Device();
}

void Resource::Override(std::span<const KeyValue> settings) {
  for (const KeyValue& setting : settings) {
    if (setting.value.empty()) {
      Remove(setting.key);
    } else {
      Set(setting.key, setting.value);
    }
  }
}

void Resource::Set(std::string_view key, std::string_view value) {
  if (value.empty()) return;
  for (ResourceAttribute& attribute : std::span(table_).first(count_)) {
    if (attribute.key == key) {
      attribute.value = value;
      return;
    }
  }
  LIMPET_CHECK(count_ < table_.size());  // It is as large as all that is detected and configured.
  table_[count_++] = {key, value};
}

void Resource::Remove(std::string_view key) {
  const auto end = table_.begin() + static_cast<ptrdiff_t>(count_);
  count_ = static_cast<size_t>(
      std::remove_if(table_.begin(), end,
                     [key](const ResourceAttribute& attribute) { return attribute.key == key; }) -
      table_.begin());
}

std::string_view HostArch(std::string_view machine) {
  struct Row {
    std::string_view pattern, arch;
  };
  static constexpr Row kRows[] = {
      {"x86_64", "amd64"}, {"i[3-6]86", "x86"},  {"aarch64*", "arm64"},
      {"arm*", "arm32"},   {"ppc64*", "ppc64"}, {"ppc*", "ppc32"},
  };
  for (const Row& row : kRows) {
    if (GlobMatches(row.pattern, machine)) return row.arch;
  }
  return machine;
}

}  // namespace limpet
