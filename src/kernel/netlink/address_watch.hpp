// address_watch: the addresses of one network interface, with notification of changes. The interface need not exist
// yet. Works in the network namespace in which it was opened; used from one thread.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "net/address.hpp"

namespace netlink {

struct interface_address {
  net::address ip;
  unsigned prefix_length = 0;  // bits

  auto operator<=>(const interface_address&) const = default;
};

// Of both families, in the kernel's order: the primary IPv4 address first. Empty if the interface has none, or does
// not exist.
[[nodiscard]] base::result<std::vector<interface_address>> addresses_of(const std::string& interface);

// The index of the interface that has this address now; 0: none has. A recreated one has another index.
[[nodiscard]] unsigned interface_of(const net::address& ip);

class address_watch {
 public:
  // Fails if the kernel denies the subscription.
  static base::result<address_watch> open(const async::executor& where);

  // Returns some 100 ms after the first unreported change of any interface's addresses, and reports all changes until
  // then together. Cancelled: throws operation_aborted.
  async::task<> changed() { return watch_.changed(); }

 private:
  explicit address_watch(change_watch watch) : watch_(std::move(watch)) {}

  change_watch watch_;
};

}  // namespace netlink
