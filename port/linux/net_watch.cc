#include "port/linux/net_watch.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace limpet {
namespace {

/// FNV-1a over what makes a thing itself.
class Hash {
 public:
  template <typename Integer>
  Hash& operator<<(Integer value) {
    for (size_t i = 0; i < sizeof value; ++i) Byte(static_cast<uint8_t>(value >> 8 * i));
    return *this;
  }
  Hash& operator<<(std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) Byte(byte);
    return *this;
  }
  uint64_t value() const { return value_; }

 private:
  void Byte(uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }
  uint64_t value_ = 0xcbf29ce484222325;
};

/// Hashes the wanted attributes of a message, in the order in which the kernel writes them.
void Attributes(Hash& hash, std::span<const uint8_t> rest, uint64_t wanted) {
  while (rest.size() >= sizeof(rtattr)) {
    rtattr attribute;
    std::memcpy(&attribute, rest.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size()) return;
    const uint16_t type = attribute.rta_type & NLA_TYPE_MASK;
    if (type < 64 && (wanted >> type & 1) != 0) {
      hash << type << rest.subspan(sizeof attribute, attribute.rta_len - sizeof attribute);
    }
    rest = rest.subspan(std::min<size_t>(RTA_ALIGN(attribute.rta_len), rest.size()));
  }
}

/// The front of a message's payload; what follows it stays in `rest`. False: it is cut.
template <typename Front>
bool TakeFront(std::span<const uint8_t>& rest, Front& front) {
  if (rest.size() < sizeof front) return false;
  std::memcpy(&front, rest.data(), sizeof front);
  rest = rest.subspan(std::min<size_t>(NLMSG_ALIGN(sizeof front), rest.size()));
  return true;
}

constexpr uint64_t Bit(int type) { return uint64_t{1} << type; }

}  // namespace

bool NetState::Note(uint64_t thing, uint32_t state) {
  for (Entry& entry : entries_) {
    if (entry.thing != thing) continue;
    const bool changed = entry.state != state;
    entry.state = state;
    return changed;
  }
  entries_[next_] = {thing, state};
  next_ = (next_ + 1) % entries_.size();
  return true;
}

bool NetState::Take(std::span<const uint8_t> messages) {
  bool changed = false;
  while (messages.size() >= sizeof(nlmsghdr)) {
    nlmsghdr head;
    std::memcpy(&head, messages.data(), sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > messages.size()) break;
    std::span<const uint8_t> rest = messages.subspan(NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
    messages = messages.subspan(std::min<size_t>(NLMSG_ALIGN(head.nlmsg_len), messages.size()));
    Hash thing;
    switch (head.nlmsg_type) {
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        ifaddrmsg address;
        if (!TakeFront(rest, address)) break;
        thing << 'a' << address.ifa_family << address.ifa_index << address.ifa_prefixlen;
        Attributes(thing, rest, Bit(IFA_ADDRESS) | Bit(IFA_LOCAL));
        // Of no use before it is known to be nobody else's.
        const bool usable = (address.ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
        changed |= Note(thing.value(), head.nlmsg_type == RTM_NEWADDR && usable ? 1 : 0);
        break;
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        rtmsg route;
        if (!TakeFront(rest, route)) break;
        if ((route.rtm_flags & RTM_F_CLONED) != 0 || route.rtm_type == RTN_LOCAL ||
            route.rtm_type == RTN_BROADCAST || route.rtm_type == RTN_MULTICAST || route.rtm_type == RTN_ANYCAST) {
          break;  // They follow the addresses.
        }
        thing << 'r' << route.rtm_family << route.rtm_dst_len << route.rtm_table << route.rtm_type;
        Attributes(thing, rest, Bit(RTA_DST) | Bit(RTA_OIF) | Bit(RTA_GATEWAY) | Bit(RTA_PRIORITY));
        changed |= Note(thing.value(), head.nlmsg_type == RTM_NEWROUTE ? 1 : 0);
        break;
      }
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        ifinfomsg link;
        if (!TakeFront(rest, link)) break;
        thing << 'l' << link.ifi_index;
        const uint32_t up = link.ifi_flags & (IFF_UP | IFF_RUNNING | IFF_LOWER_UP);
        changed |= Note(thing.value(), head.nlmsg_type == RTM_NEWLINK ? up | 1u << 31 : 0);
        break;
      }
      default:
        break;
    }
  }
  return changed;
}

NetWatch::~NetWatch() {
  if (socket_ < 0) return;
  poller_.Forget(socket_);
  close(socket_);
}

Status NetWatch::Start() {
  socket_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  const auto fail = [this](const char* where) -> Status {
    const int error = errno;
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
    if (error == EACCES || error == EPERM) return {Code::kDenied, error, where};
    if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT) return {Code::kUnsupported, error, where};
    return {Code::kIo, error, where};
  };
  if (socket_ < 0) return fail("netlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail("netlink bind");
  if (const Status watched = poller_.Watch(socket_, kReadable, *this); !watched.ok()) {
    close(socket_);
    socket_ = -1;
    return watched;
  }
  return {};
}

void NetWatch::OnReady(int, uint8_t) {
  alignas(nlmsghdr) uint8_t bytes[8192];
  constexpr int kReadsMax = 64;  // The rest at the next turn.
  for (int i = 0; i < kReadsMax; ++i) {
    const ssize_t got = recv(socket_, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {  // Some were lost: whatever they said, something has changed.
      changed_ = true;
      continue;
    }
    if (got <= 0) return;
    changed_ |= state_.Take({bytes, static_cast<size_t>(got)});
  }
}

MonoTime NetWatch::OnTime(MonoTime now) {
  if (!changed_) return kNever;
  if (now < next_tell_) return next_tell_;
  changed_ = false;
  next_tell_ = now + kTellEvery;
  handler_.OnNetworkChange();
  return kNever;
}

}  // namespace limpet
