// Finds out, once at start, what host this is: the resource attributes that every batch of this
// host's own data carries (semconv.md sections 5 and 10).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>

#include "config/config.h"
#include "limpet/files.h"
#include "limpet/log.h"
#include "batch/metric_encoder.h"

namespace limpet {

/// What the caller knows. The texts must outlive the Resource.
struct HostFacts {
  std::string_view machine;    ///< `uname -m`.
  std::string_view release;    ///< `uname -r`.
  std::string_view hostname;   ///< What `hostname` prints.
  std::string_view container;  ///< Environment variable `container`, else KUBERNETES_SERVICE_HOST.
  std::string_view instance;   ///< The instance id.
  std::string_view version;    ///< limpet's.
  std::string_view root = "/";  ///< `[host] root`.
};

class Resource {
 public:
  static constexpr size_t kDetectedMax = 14;
  static constexpr size_t kAttributesMax =
      kDetectedMax + std::tuple_size_v<decltype(Config::resource)>;
  static constexpr size_t kValueMax = 255;  ///< Bytes; a longer value is left out.
  /// host.id, .name; os ×4; device ×3.
  static constexpr size_t kArenaBytes = 9 * kValueMax;

  /// arena: kArenaBytes for what is read from files; must outlive this.
  explicit Resource(std::span<char> arena) : arena_(arena) {}

  /// Detects what there is. scratch: for reading, 4 KiB are plenty; free again afterwards.
  /// A file that is missing means an attribute less; one that cannot be read or makes no sense is
  /// logged as well.
  void Detect(const HostFacts& facts, Files& files, std::span<char> scratch, Log& log);

  /// Lays the keys of [resource] over what was detected: a value replaces it or is added, an empty
  /// value removes it. The texts must outlive this.
  void Override(std::span<const KeyValue> settings);

  /// For EncodeResource.
  std::span<const ResourceAttribute> attributes() const { return {table_.data(), count_}; }

 private:
  struct Detector;
  void Set(std::string_view key, std::string_view value);
  void Remove(std::string_view key);

  std::span<char> arena_;  // What is left of it.
  std::array<ResourceAttribute, kAttributesMax> table_{};
  size_t count_ = 0;
};

/// host.arch for what uname calls the machine: "amd64", "arm32", …; unknown ones as they are.
std::string_view HostArch(std::string_view machine);

}  // namespace limpet
