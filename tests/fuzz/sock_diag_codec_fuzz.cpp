// Datagrams of a listing of sockets, for either protocol: every socket found has a port, and only IPv6 is IPv6 alone.
// The same as a listing of connections.
#include <cstdint>
#include <cstdlib>

#include "kernel/netlink/sock_diag_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp}) {
    const auto found = netlink::parse_listener_dump({reinterpret_cast<const std::byte*>(data), size}, protocol);
    for (const auto& s : found)
      if (s.at.port == 0 || s.protocol != protocol || (s.ipv6_only && s.at.ip.is_v4())) std::abort();
  }
  static_cast<void>(netlink::leads_into_loopback({reinterpret_cast<const std::byte*>(data), size}));
  return 0;
}
