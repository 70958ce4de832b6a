// own_address: whether an address belongs to this machine.
#pragma once

#include "base/result.hpp"
#include "net/address.hpp"

namespace relay {

// Whether packets to `ip` stay on this machine: an interface has the address, or a route of type `local` covers it,
// such as that of 127.0.0.0/8. Asks the kernel's routing in the calling thread's network namespace; an error if it does
// not answer. Binding to the address would prove less: with net.ipv4.ip_nonlocal_bind every address can be bound.
[[nodiscard]] base::result<bool> is_own(const net::address& ip);

}  // namespace relay
