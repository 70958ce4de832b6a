// server: the DHCP server of the virtual network (RFC 2131), as a pure function of messages and time. Owned by
// netstack::stack. It reports no failure: a message that it does not answer is counted.
//
// Theory of operation. The message's chaddr identifies the client, and must be the source of its frame. A client has
// one address (lease_table). A DISCOVER gets an OFFER of it. A REQUEST gets an ACK if each address in it (option 50,
// ciaddr) is the client's, otherwise a NAK, which makes the client start over. A client without a lease that requests a
// specific free address gets it: an earlier run of this server may have assigned it. So does a client whose frames come
// from a free address, until the leases of that run have expired. A REQUEST to another server withdraws our offer.
// RELEASE, DECLINE and INFORM are ignored: only time ends a lease. Relayed messages are dropped, because the network
// has no relays.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/cidr.hpp"
#include "netstack/dhcp/lease_table.hpp"
#include "netstack/dhcp/message.hpp"
#include "netstack/dhcp/search_list.hpp"

namespace netstack::dhcp {

// The MAC of the VM's tap, which has the lease of .2.
inline constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};

struct settings {
  // The gateway is .1, the host .254 if the subnet has that address, and vm_mac has .2. IPv4, at most 30 bits.
  explicit settings(const net::cidr& subnet);

  net::cidr subnet;
  ipv4::address gateway;             // server id, router and DNS server
  std::vector<ipv4::address> hosts;  // the host's addresses inside the subnet: no client gets one
  std::uint16_t mtu = 1500;
  std::chrono::seconds lease_time{3600};
  std::vector<fixed_lease> fixed;

  // Replaces earlier fixed leases of this MAC or address. An error: the address is outside the subnet, is its first or
  // last one, the gateway's or one of the host's.
  base::result<> add_fixed(const fixed_lease& one);
};

// Sent from the gateway's port 67 to UDP port 68.
struct answer {
  bytes_view payload;           // valid until the next call of on_message()
  net::mac_address mac;         // the frame's destination
  ipv4::address address;        // the packet's destination: 255.255.255.255, or the client's address
  std::optional<lease> leased;  // the client's new lease, in an ACK
};

struct counters {
  std::uint64_t offers = 0, acks = 0, naks = 0;
  std::uint64_t ignored = 0;    // RELEASE, DECLINE, INFORM, and messages for another server
  std::uint64_t malformed = 0;  // and replies from other servers
  std::uint64_t relayed = 0;
  std::uint64_t spoofed = 0;    // chaddr differs from the frame's source
  std::uint64_t exhausted = 0;  // no address was free
  std::uint64_t adopted = 0;    // leases of an earlier run

  bool operator==(const counters&) const = default;
};

class server {
 public:
  explicit server(const settings& s);

  // `payload`: of a UDP datagram to port 67; `source`: of its frame.
  [[nodiscard]] std::optional<answer> on_message(bytes_view payload, const net::mac_address& source, time_point now);

  // The server starts now. Without this call it adopts no leases from an earlier run.
  void begin(time_point now) { adopts_until_ = now + settings_.lease_time; }
  // A client sends from an address that it does not own. Returns its lease, if an earlier run may have assigned it.
  std::optional<lease> adopt(const net::mac_address& mac, ipv4::address address, time_point now);

  // Applies to later answers.
  void set_search_domains(std::span<const std::string> names) { search_ = search_list(names); }

  [[nodiscard]] bool owns(const net::mac_address& mac, ipv4::address address, time_point now) const {
    return leases_.owns(mac, address, now);
  }
  [[nodiscard]] std::vector<lease> leases(time_point now) const { return leases_.list(now); }
  [[nodiscard]] const counters& counted() const { return counted_; }

 private:
  std::optional<answer> on_discover(const request& r, time_point now);
  std::optional<answer> on_request(const request& r, time_point now);
  [[nodiscard]] std::optional<answer> refuse(const request& r);
  [[nodiscard]] answer give(const request& r, message_type type, ipv4::address address);
  [[nodiscard]] bool holds(const request& r, time_point now);

  settings settings_;
  lease_table leases_;
  search_list search_;
  counters counted_;
  time_point adopts_until_ = time_point::min();
  std::vector<std::uint8_t> payload_;  // of the last answer
};

}  // namespace netstack::dhcp
