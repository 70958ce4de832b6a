// client_source: the source address that a client of an exposed port has in the VM (flag -source-address).
#pragma once

#include <cstdint>
#include <vector>

#include "net/cidr.hpp"
#include "net/endpoint.hpp"
#include "netstack/stack/flow_id.hpp"

namespace translator {

enum class source_address : std::uint8_t { gateway, client };

class client_source {
 public:
  // `local`: networks inside the VM. An answer to their addresses would not leave it.
  client_source(source_address kind, netstack::ipv4::address gateway, std::vector<net::cidr> local)
      : kind_(kind), gateway_(gateway), local_(std::move(local)) {}

  // The client's endpoint, or the gateway with port 0 for any port. The gateway also represents IPv6 and loopback
  // clients, and clients whose address lies in one of the VM's own networks.
  [[nodiscard]] netstack::endpoint of(const net::endpoint& client) const;
  [[nodiscard]] netstack::ipv4::address gateway() const { return gateway_; }

 private:
  [[nodiscard]] bool passes(const net::address& ip) const;

  source_address kind_;
  netstack::ipv4::address gateway_;
  std::vector<net::cidr> local_;
};

}  // namespace translator
