// client_source: which source address a client of an exposed port has in the VM (flag -source-address).
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
  // `local`: networks that the VM has for itself. An answer to their addresses would not come back.
  client_source(source_address kind, netstack::ipv4::address gateway, std::vector<net::cidr> local)
      : kind_(kind), gateway_(gateway), local_(std::move(local)) {}

  // The client's endpoint, or the gateway with port 0 for any port. The gateway stands for IPv6 and loopback clients as
  // well, and for those whose address the VM would look for in its own networks.
  [[nodiscard]] netstack::endpoint of(const net::endpoint& client) const;
  [[nodiscard]] netstack::ipv4::address gateway() const { return gateway_; }

 private:
  [[nodiscard]] bool passes(const net::address& ip) const;

  source_address kind_;
  netstack::ipv4::address gateway_;
  std::vector<net::cidr> local_;
};

}  // namespace translator
