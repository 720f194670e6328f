// Who gets how much of `[agent] memory`: a line for each holder, so that the sum can be checked.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/text.h"
#include "config/config.h"
#include "limpet/batch.h"
#include "limpet/limits.h"
#include "limpet/status.h"
#include "serve/http_server.h"

namespace limpet {

enum class Holder : uint8_t {
  kLibc,      ///< What libc and its malloc hand out. Static.
  kConfig,    ///< The configuration's text. Static.
  kCurl,      ///< libcurl and c-ares.
  kTls,       ///< mbedTLS.
  kSpool,     ///< SQLite, its worker's stack, a record on its way (spool_memory.h).
  kMounts,    ///< Stacks of the threads that ask filesystems for their space.
  kSlab,      ///< Open batches, of the signals that something here writes.
  kGzip,      ///< The compressor and its output.
  kDelivery,  ///< Destinations, their connections and answers.
  kScratch,   ///< What one step works on: a file of /proc, a batch taken apart, a request inflated.
  kListener,  ///< Heads of connections and the pages of answers.
  kLogs,      ///< Tracks, open files and scratch of [log.*].
  kBodies,    ///< Of requests to [receive.otlp], until they are whole.
  kProgram,   ///< limpet's own objects, tables and buffers.
  kQueue,     ///< Closed batches: what is left over.
};
inline constexpr size_t kHolderCount = 15;

struct Share {
  std::string_view name;
  size_t bytes = 0;
  bool in_region = true;   ///< Carved out of the region that is taken at start.
  std::string_view holds;  ///< For people.
};

/// Sizes that are not the core's to know.
struct ForeignSizes {
  size_t libc = 0, config = 0;     ///< Static pools of the program.
  size_t curl = 0, tls = 0;        ///< For one destination.
  size_t transport = 0;            ///< Likewise: its transport's object and buffers.
  size_t tls_server = 0;           ///< mbedTLS for the clients of [receive.otlp].
  size_t program = 0;
  size_t mounts = 0;               ///< Stacks of the two threads that measure filesystems.
  size_t gate = 0;                 ///< What the program has for [receive.otlp].
  size_t logs_slab = 0;            ///< Of the open logs batch; 0: nothing writes logs.
};

/// The server of [receive.otlp]. Its answers are short.
HttpServerLimits ReceiverLimits(const Config& config);

class MemoryPlan {
 public:
  /// kFull: the configuration needs more than `memory`; the error says which line to change.
  static Result<MemoryPlan> Make(const Config& config, const ForeignSizes& foreign,
                                 TextWriter& error);

  const Share& of(Holder holder) const { return shares_[static_cast<size_t>(holder)]; }
  std::span<const Share> shares() const { return shares_; }
  size_t total() const { return total_; }
  /// What is to be taken from the system at start.
  size_t region_bytes() const;

  /// Bytes of the signal's open batch; 0: nothing here writes such.
  size_t slab_bytes(Signal signal) const { return slabs_[Index(signal)]; }

  /// The plan as comments of an INI file.
  void Write(TextWriter& out) const;

 private:
  std::array<Share, kHolderCount> shares_{};
  std::array<size_t, kSignalCount> slabs_{};
  size_t total_ = 0;
  size_t max_body_ = 0;  ///< Of [receive.otlp], if there is one.
};

/// Cuts pools off the front of the region, each aligned to 64 bytes.
class Carver {
 public:
  explicit Carver(std::span<std::byte> region) : rest_(region) {}
  /// The plan has made sure that it is there.
  std::span<std::byte> Take(size_t bytes);

 private:
  std::span<std::byte> rest_;
};

}  // namespace limpet
