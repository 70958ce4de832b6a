// Which addresses are this machine's own.
#pragma once

#include "base/result.hpp"
#include "net/address.hpp"

namespace relay {

// What is sent to `ip` stays on this machine: by an interface's address, or by a route of type `local`, as 127.0.0.0/8
// has one. The kernel's routing is asked, in the calling thread's network namespace; an error where it gives no answer.
// That an address can be bound says less: with net.ipv4.ip_nonlocal_bind every one can.
[[nodiscard]] base::result<bool> is_own(const net::address& ip);

}  // namespace relay
