// address_watch: the addresses of one network interface, and word of when they may have changed. The interface need not
// be there yet. In the network namespace in which it was opened; used from one thread.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <compare>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/address.hpp"

namespace netlink {

struct interface_address {
  net::address ip;
  unsigned prefix_length = 0;  // bits

  auto operator<=>(const interface_address&) const = default;
};

// Of both families, in the kernel's order: the primary IPv4 address first. Empty where the interface has none, or is
// not there.
[[nodiscard]] base::result<std::vector<interface_address>> addresses_of(const std::string& interface);

// The index of the interface that has this address now; 0: none has. One that was made anew has another index.
[[nodiscard]] unsigned interface_of(const net::address& ip);

class address_watch {
 public:
  // Fails where the kernel lets nobody listen.
  static base::result<address_watch> open(const async::executor& where);

  // Returns some 100 ms after any interface's addresses changed that was not told of yet; what comes in between is told
  // of together. Cancelled: throws operation_aborted.
  async::task<> changed();

 private:
  address_watch(const async::executor& where, int fd) : socket_(where, fd) {}

  async::asio::posix::stream_descriptor socket_;
};

}  // namespace netlink
