// vm_network: which addresses can be a virtual machine's. A message says at which address its VM is reached; without a
// check it could name this host, a port of which would be opened to others, or a third machine, to which this host
// would give access.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"

namespace privileged_service {

class vm_network {
 public:
  // "172.16.0.0/12,fd00::/8"; empty text: no list.
  static base::result<vm_network> parse(std::string_view text);

  // Why the address is no VM's, as in "192.0.2.1 is this machine itself"; empty: it may be one. Never an address of
  // this machine. With a list the address has to be in it; without one it has to be on a network to which this machine
  // is attached, and not on the one by which it reaches all others: there, third machines are.
  [[nodiscard]] std::string refuse(const net::address& ip) const;

 private:
  std::vector<net::cidr> list_;
};

}  // namespace privileged_service
