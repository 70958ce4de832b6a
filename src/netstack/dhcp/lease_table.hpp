// lease_table: which client has which address, and until when. Owned by the server. Nothing is known of a client longer
// than its lease.
//
// Theory of operation. A fixed lease belongs to one MAC for ever, asked for or not. The rest of the subnet from its .3 on
// is the pool: one slot for each address, so that an address is looked up by its number. A client keeps its slot while its
// lease lasts; else it gets the first free one. An OFFER holds a slot for a minute, an ACK for the time of a lease. When
// the pool is full, the oldest offer that no client has taken makes room, an acknowledged lease never does.
// The gateway, the host, the broadcast address and the fixed addresses are not in the pool.
//
// Bound: the pool has most_leases slots at most, all allocated at the start.
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
  std::optional<time_point> expires;  // of a fixed lease: nothing until its client has asked for it

  bool operator==(const lease&) const = default;
};

class lease_table {
 public:
  static constexpr std::size_t most_leases = 1'024;
  static constexpr std::chrono::seconds offer_time{60};

  // `reserved`: addresses that are given to no client; `fixed`: each address and each MAC at most once.
  lease_table(const net::cidr& subnet, std::vector<ipv4::address> reserved, const std::vector<fixed_lease>& fixed);

  // The client's address: its fixed one, or the one that it has an offer or a lease of.
  [[nodiscard]] std::optional<ipv4::address> find(const net::mac_address& mac, time_point now) const;
  // The same, or else a free one, held for offer_time. Nothing: no address is free.
  std::optional<ipv4::address> offer(const net::mac_address& mac, time_point now);
  // Holds `address` for the client. False: it is not in the pool, or another client has it.
  bool take(const net::mac_address& mac, ipv4::address address, time_point now);
  // A client did not take its offer.
  void withdraw_offer(const net::mac_address& mac);
  // The client has the address that find() returns, until `expires`.
  void acknowledge(const net::mac_address& mac, time_point expires, time_point now);

  // Whether the client may send from this address. Constant time but for the fixed leases. An offer alone does not count.
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
