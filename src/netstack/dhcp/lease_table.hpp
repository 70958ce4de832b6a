// lease_table: each client's address, and when its lease ends. Owned by the server. It remembers no client longer than
// its lease.
//
// Theory of operation. A fixed lease belongs to one MAC permanently, requested or not. The rest of the subnet from .3
// on is the pool: one slot for each address, so an address is found by its number. A client keeps its slot while its
// lease lasts; a new client gets the first free one. An OFFER holds a slot for a minute, an ACK for the lease time.
// When the pool is full, the oldest offer that no client has accepted makes room; an acknowledged lease never does. The
// gateway, the host, the broadcast address and the fixed addresses are not in the pool.
//
// Bound: the pool has at most most_leases slots, all allocated at the start.
#pragma once

#include <optional>
#include <vector>

#include "net/cidr.hpp"
#include "net/mac_address.hpp"
#include "netstack/fragments.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::dhcp {

struct fixed_lease {
  net::mac_address mac;
  ipv4::address address;

  bool operator==(const fixed_lease&) const = default;
};

struct lease {
  ipv4::address address;
  net::mac_address mac;
  bool fixed = false;
  std::optional<time_point> expires;  // nullopt for a fixed lease that its client has not requested

  bool operator==(const lease&) const = default;
};

class lease_table {
 public:
  static constexpr std::size_t most_leases = 1'024;
  static constexpr std::chrono::seconds offer_time{60};

  // `reserved`: addresses that no client gets; `fixed`: each address and each MAC at most once.
  lease_table(const net::cidr& subnet, std::vector<ipv4::address> reserved, const std::vector<fixed_lease>& fixed);

  // The client's address: its fixed one, or that of its offer or lease.
  [[nodiscard]] std::optional<ipv4::address> find(const net::mac_address& mac, time_point now) const;
  // The same, or else a free one, held for offer_time. nullopt: no address is free.
  std::optional<ipv4::address> offer(const net::mac_address& mac, time_point now);
  // Holds `address` for the client. False: it is not in the pool, or another client has it.
  bool take(const net::mac_address& mac, ipv4::address address, time_point now);
  // Gives `address` to a client that has none until `expires`. False: it is not in the pool, or another client has it.
  bool adopt(const net::mac_address& mac, ipv4::address address, time_point expires, time_point now);
  // The client has not accepted its offer.
  void withdraw_offer(const net::mac_address& mac);
  // Leases the address that find() returns to the client, until `expires`.
  void acknowledge(const net::mac_address& mac, time_point expires, time_point now);

  // Whether the client may send from this address. Constant time except for the fixed leases. An offer is not enough.
  [[nodiscard]] bool owns(const net::mac_address& mac, ipv4::address address, time_point now) const;
  // Fixed leases, then acknowledged ones, by address.
  [[nodiscard]] std::vector<lease> list(time_point now) const;

 private:
  struct slot {
    net::mac_address mac;
    time_point expires = time_point::min();
    bool acknowledged = false;
    bool reserved = false;

    [[nodiscard]] bool is_free(time_point now) const { return !reserved && now >= expires; }
  };

  [[nodiscard]] slot* at(ipv4::address address);
  [[nodiscard]] const slot* at(ipv4::address address) const;
  [[nodiscard]] const slot* of(const net::mac_address& mac, time_point now) const;
  [[nodiscard]] ipv4::address address_of(const slot& s) const;
  [[nodiscard]] slot* free_slot(time_point now);

  ipv4::address first_;  // of the pool
  std::vector<slot> pool_;
  std::vector<lease> fixed_;
};

}  // namespace netstack::dhcp
