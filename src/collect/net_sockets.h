// /proc/net/tcp, tcp6, udp and udp6: a line for each socket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// States of TCP as the kernel numbers them, beginning with 1 (include/net/tcp_states.h).
inline constexpr size_t kTcpStates = 11;

/// Parses the heading of such a file, its first line.
/// kInvalid: it is another file.
Status ParseSocketHeading(std::string_view line);

/// Parses the line of a socket, `   0: 0100007F:1F90 00000000:0000 0A …`, addresses of 8 or 32 digits.
/// Returns its state, 1 to kTcpStates. 12, a request that is not a socket yet, is what older kernels
/// write as 3, SYN_RECV. UDP has 1 when connected and 7 otherwise.
/// kInvalid: another form, or a state that is none.
/// Source: proc_pid_net(5); get_tcp4_sock() in net/ipv4/tcp_ipv4.c of the Linux tree.
Result<size_t> ParseSocketState(std::string_view line);

}  // namespace limpet
