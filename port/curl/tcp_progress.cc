#include "port/curl/tcp_progress.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>

namespace limpet {

void SocketSet::Add(int handle) {
  Remove(handle);
  for (int& slot : handles_) {
    if (slot >= 0) continue;
    slot = handle;
    return;
  }
}

void SocketSet::Remove(int handle) {
  for (int& slot : handles_) {
    if (slot == handle) slot = -1;
  }
}

TcpProgress SocketSet::Measure(uint64_t taken, uint64_t received) const {
  TcpProgress sum{taken, received};
  Duration ago = Seconds(3600);
  for (const int handle : handles_) {
    if (handle < 0) continue;
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(handle, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) continue;  // UDP.
    if (size >= offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
      sum.out += info.tcpi_bytes_acked;
      sum.in += info.tcpi_bytes_received;
      const Duration last = Milliseconds(std::min(info.tcpi_last_ack_recv, info.tcpi_last_data_recv));
      ago = std::min(ago, last);
      continue;
    }
    int waiting = 0;
    if (ioctl(handle, SIOCOUTQ, &waiting) == 0) sum.out -= static_cast<uint64_t>(waiting);
  }
  sum.ago = ago < Seconds(3600) ? ago : Duration{};
  return sum;
}

}  // namespace limpet
