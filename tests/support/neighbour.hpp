// neighbour: another machine, on a network of its own behind a namespace, with a default route through it. It stands
// for a machine on the host's LAN or, behind masquerade, for a container of the VM.
//
//   router  10.99.<number>.1/24 ──veth── eth0 10.99.<number>.2/24  neighbour
#pragma once

#include <string>

#include "net/address.hpp"
#include "tests/support/netns.hpp"

namespace support {

class neighbour {
 public:
  // `number` distinguishes the networks of one router.
  neighbour(const netns& router, std::string_view purpose, std::uint8_t number);

  [[nodiscard]] const netns& where() const { return where_; }
  operator place() const { return where_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] net::address address() const { return net::address::v4(10, 99, number_, 2); }
  [[nodiscard]] net::address router_address() const { return net::address::v4(10, 99, number_, 1); }

  // From now on the router forwards the neighbour's packets, under the address of the interface by which they leave, as
  // an engine does with its containers'. The rule is in an nftables table of its own.
  void masquerade() const;

 private:
  const netns& router_;
  std::uint8_t number_;
  netns where_;
};

}  // namespace support
