// NetWatch against the kernel, in a network of its own; NetState with messages as the kernel sends them.
#include "port/linux/net_watch.h"

#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"

namespace limpet {
namespace {

using Bytes = std::vector<uint8_t>;

template <typename T>
void Append(Bytes& out, const T& value) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
  while (out.size() % 4 != 0) out.push_back(0);
}

Bytes Message(uint16_t type, const Bytes& payload) {
  Bytes out;
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_len = static_cast<uint32_t>(sizeof head + payload.size());
  Append(out, head);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

void Attribute(Bytes& out, uint16_t type, uint32_t value) {
  Append(out, rtattr{static_cast<unsigned short>(sizeof(rtattr) + 4), type});
  Append(out, value);
}

Bytes Address(uint16_t type, uint32_t address, uint8_t flags = 0, uint32_t lifetime = 0) {
  Bytes payload;
  Append(payload, ifaddrmsg{AF_INET, 24, flags, 0, 2});
  Attribute(payload, IFA_ADDRESS, address);
  Attribute(payload, IFA_CACHEINFO, lifetime);
  return Message(type, payload);
}

Bytes Route(uint16_t type, uint32_t gateway, unsigned char kind = RTN_UNICAST, unsigned flags = 0) {
  Bytes payload;
  rtmsg route{};
  route.rtm_family = AF_INET, route.rtm_type = kind, route.rtm_flags = flags, route.rtm_table = RT_TABLE_MAIN;
  Append(payload, route);
  Attribute(payload, RTA_GATEWAY, gateway);
  return Message(type, payload);
}

Bytes Link(uint16_t type, unsigned flags) {
  Bytes payload;
  ifinfomsg link{};
  link.ifi_index = 2, link.ifi_flags = flags;
  Append(payload, link);
  return Message(type, payload);
}

TEST(NetState, TellsNewsFromRepetition) {
  struct Case {
    const char* name;
    Bytes message;
    bool changed;
  };
  const Case cases[] = {
      {"an address, still tentative", Address(RTM_NEWADDR, 1, IFA_F_TENTATIVE), true},
      {"now usable", Address(RTM_NEWADDR, 1), true},
      {"again", Address(RTM_NEWADDR, 1), false},
      {"lives longer", Address(RTM_NEWADDR, 1, 0, 3600), false},
      {"another", Address(RTM_NEWADDR, 2), true},
      {"gone", Address(RTM_DELADDR, 1), true},
      {"gone again", Address(RTM_DELADDR, 1), false},
      {"back", Address(RTM_NEWADDR, 1), true},
      {"a route", Route(RTM_NEWROUTE, 1), true},
      {"again", Route(RTM_NEWROUTE, 1), false},
      {"another", Route(RTM_NEWROUTE, 2), true},
      {"gone", Route(RTM_DELROUTE, 2), true},
      {"of an own address", Route(RTM_NEWROUTE, 3, RTN_LOCAL), false},
      {"of multicast", Route(RTM_NEWROUTE, 3, RTN_MULTICAST), false},
      {"from the cache", Route(RTM_NEWROUTE, 3, RTN_UNICAST, RTM_F_CLONED), false},
      {"a link", Link(RTM_NEWLINK, IFF_UP | IFF_RUNNING), true},
      {"its statistics", Link(RTM_NEWLINK, IFF_UP | IFF_RUNNING | IFF_PROMISC), false},
      {"the cable is pulled", Link(RTM_NEWLINK, IFF_UP), true},
      {"something else", Message(RTM_NEWNEIGH, Bytes(32, 1)), false},
      {"cut", Message(RTM_NEWADDR, Bytes(3, 0)), false},
      {"nothing", {}, false},
  };
  NetState state;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(state.Take(c.message), c.changed);
  }
}

TEST(NetState, SurvivesWhateverComes) {
  NetState state;
  uint32_t seed = 1;
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = Address(RTM_NEWADDR, 1);
    const Bytes more = Route(RTM_NEWROUTE, 2);
    bytes.insert(bytes.end(), more.begin(), more.end());
    for (int i = 0; i < 4; ++i) {
      seed = seed * 1664525 + 1013904223;
      bytes[(seed >> 8) % bytes.size()] = static_cast<uint8_t>(seed >> 24);
    }
    const auto end = bytes.end() - static_cast<std::ptrdiff_t>(seed % 8);
    state.Take(Bytes(bytes.begin(), end));
  }
}

TEST(NetState, ForgetsTheOldestOfTooMany) {
  NetState state;
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_TRUE(state.Take(Address(RTM_NEWADDR, i)));
  EXPECT_FALSE(state.Take(Address(RTM_NEWADDR, 999)));
  EXPECT_TRUE(state.Take(Address(RTM_NEWADDR, 0)));
}

/// A network without anything but a loopback that is down. False: not permitted here.
bool EnterOwnNetwork() {
  const uid_t uid = getuid();
  if (unshare(CLONE_NEWNET) == 0) return true;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
  return true;
}

bool SetLoopback(bool up, uint32_t address) {
  const int handle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  bool done = ioctl(handle, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  done &= ioctl(handle, SIOCSIFFLAGS, &request) == 0;
  if (address != 0) {
    auto* const in = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
    *in = {};
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(address);
    done &= ioctl(handle, SIOCSIFADDR, &request) == 0;
  }
  close(handle);
  return done;
}

class Counter final : public NetHandler {
 public:
  void OnNetworkChange() override { ++changes; }
  int changes = 0;
};

TEST(NetWatch, HearsOfChanges) {
  if (!EnterOwnNetwork()) GTEST_SKIP() << "no network namespace here";
  EpollPollerBuffer<4> poller;
  ASSERT_TRUE(poller.Open().ok());
  LinuxClock clock;
  Counter counter;
  NetWatch watch(poller, counter);
  if (!watch.Start().ok()) GTEST_SKIP() << "no netlink here";
  const auto run = [&](Duration time) {
    const MonoTime end = clock.Monotonic() + time;
    for (MonoTime now = clock.Monotonic(); now < end; now = clock.Monotonic()) {
      ASSERT_TRUE(poller.Wait(std::min(end, watch.OnTime(now))).ok());
    }
    watch.OnTime(clock.Monotonic());
  };
  run(Milliseconds(50));
  EXPECT_EQ(counter.changes, 0);
  ASSERT_TRUE(SetLoopback(true, 0));
  run(Milliseconds(200));
  EXPECT_EQ(counter.changes, 1) << "the link and its addresses are one change";
  // Many within a second are told as one, at its end.
  for (uint32_t i = 1; i <= 300; ++i) ASSERT_TRUE(SetLoopback(true, 0x7f000100 + i));
  run(Milliseconds(300));
  EXPECT_EQ(counter.changes, 1);
  run(Milliseconds(900));
  EXPECT_EQ(counter.changes, 2);
  run(Milliseconds(1200));
  EXPECT_EQ(counter.changes, 2);
  ASSERT_TRUE(SetLoopback(true, 0x7f000300));
  run(Milliseconds(100));
  EXPECT_EQ(counter.changes, 3) << "after a quiet time at once";
}

}  // namespace
}  // namespace limpet
