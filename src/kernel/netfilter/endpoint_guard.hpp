// endpoint_guard: keeps one kind of sender away from a TCP endpoint, or from the loopback addresses. At the endpoint
// its server can no longer distinguish the senders. It is a table of this program's own in nftables, which the engines'
// firewalls neither flush nor bypass.
//
//   forwarded    packets of containers; the hook `forward` is before masquerading makes them look like the machine's
//   other users  the hook `output` knows the user of the sending socket, even of a client that closes before its
//                connection is accepted
//   loopback     packets that come in by a device for 127.0.0.0/8, which route_localnet lets in
#pragma once

#include "base/result.hpp"
#include "kernel/netfilter/guard_codec.hpp"

namespace netfilter {

class endpoint_guard {
 public:
  explicit endpoint_guard(guard_rule rule) : rule_(std::move(rule)) {}

  // Adds the rule if it is missing; otherwise costs a dump of one chain. Fails as nft_reader does, see
  // is_without_nftables(). In the calling thread's network namespace; blocks for half a second at most.
  base::result<> ensure() const;
  [[nodiscard]] base::result<bool> is_up() const;
  // Removes the table, if there is one.
  base::result<> remove() const;

 private:
  guard_rule rule_;
};

}  // namespace netfilter
