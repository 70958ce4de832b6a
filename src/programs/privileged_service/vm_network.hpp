// vm_network: which addresses can belong to a virtual machine. A message names the address of its VM. Without a check
// it could name this host, and expose one of its ports, or a third machine, and give access to it.
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

  // Why the address cannot be a VM's: "is this machine itself"; empty: it can. With a list it must be in the list.
  // Without one it must be on a network of this machine other than that of the default route, where third machines are.
  // An address of this machine is always refused.
  [[nodiscard]] std::string refuse(const net::address& ip) const;

 private:
  std::vector<net::cidr> list_;
};

}  // namespace privileged_service
