// How far the bytes of a request have come, as the kernel knows it.
#pragma once

#include <array>
#include <cstdint>

#include "limpet/time.h"

namespace limpet {

/// Sums over sockets in use. They only have a meaning compared with an earlier reading.
struct TcpProgress {
  uint64_t out = 0;  ///< Bytes that the peer has acknowledged.
  uint64_t in = 0;   ///< Bytes that have arrived.
  Duration ago{};    ///< Since the last of either, on the socket where that is shortest.
  bool operator==(const TcpProgress& other) const { return out == other.out && in == other.in; }
};

/// The sockets that a destination uses now: to a name server, to the addresses it tries.
class SocketSet {
 public:
  /// Twice is once; what is beyond the few there are room for is not watched.
  void Add(int handle);
  void Remove(int handle);

  /// taken, received: bytes of the request handed to the socket and of the answer got from it, for
  /// kernels before 4.1, which only tell what is not yet acknowledged.
  TcpProgress Measure(uint64_t taken, uint64_t received) const;

 private:
  std::array<int, 4> handles_ = {-1, -1, -1, -1};
};

}  // namespace limpet
